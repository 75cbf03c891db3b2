# What the shim of a container needs, whoever makes the container.
my ($memory_file, $memory_kills) = (undef, 0);

sub read_all {
  open(my $file, '<', $_[0]) or return '';
  local $/;
  return <$file> // '';
}

# The kernel says when it has ended a process of the task for want of memory: version 1 of cgroups by an eventfd, version 2
# by a change of the file.
sub watch_memory {
  my $path = $spec{memory_kills};
  return if $path eq '';
  open($memory_file, '<', $path) or return;
  my $number;
  if ($path =~ /oom_control$/) {
    $number = syscall($nr->{eventfd2}, 0, 0x80800);
    open(my $control, '>', $path =~ s/[^\/]*$/cgroup.event_control/r) or return;
    syswrite($control, "$number " . fileno($memory_file));
  } else {
    $number = syscall($nr->{inotify_init1}, 0x80800);
    syscall($nr->{inotify_add_watch}, $number, $path, 2);
  }
  open($memory_notice, '<&=', $number) if $number >= 0;
  # The task runs already: what the kernel has ended before it was asked is counted by now, or all but.
  $memory_looks = 2;
}

# Of a group that is gone nothing can be read any more: then what was counted last holds.
sub count_memory_kills {
  return 0 unless $memory_file;
  sysseek($memory_file, 0, 0);
  sysread($memory_file, my $text, 4096) or return $memory_kills;
  return ($text // '') =~ /^oom_kill (\d+)$/m ? $1 : 0;
}

# The notice of version 1 comes before the kernel has done and counted it: it is looked for some times, a while apart.
sub look_memory {
  my ($is_later) = @_;
  $memory_looks-- if $is_later;
  my $kills = count_memory_kills();
  return if $kills <= $memory_kills;
  ($memory_kills, $memory_looks) = ($kills, 0);
  event('memory', 0, memory_kills => $kills);
}

1;
