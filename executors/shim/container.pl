# What the shim does more for a task in a container. Loaded by shim.pl only then: reading it costs a millisecond.
my $bundle = "$folder/oci";

# A container's namespace of processes is held by a fork of the shim, not by the task's program: as the first process of
# its namespace that would be deaf to every signal that it does not handle. When the shim dies, its fork dies, and with
# it the kernel ends everything in the namespace.
sub hold_processes {
  my $shim = $$;
  sysopen(my $own, '/proc/self/ns/pid', 0) && syscall($nr->{unshare}, 0x20000000) == 0 or return 0;
  my $init = fork();
  if (defined $init && $init == 0) {
    syscall($nr->{prctl}, 1, 9, 0, 0, 0);  # PR_SET_PDEATHSIG
    $SIG{$_} = 'IGNORE' for qw(HUP INT TERM CHLD);    # the kernel reaps what is left to it
    $0 = "muster-init $folder";
    close $own;
    open(my $stat, '<', '/proc/self/stat');
    my $parent = (split / /, (<$stat> =~ s/^.*\) //sr))[1];
    close $stat;
    select(undef, undef, undef, 86400) while $parent == $shim;
    kill 'KILL', $$;
    exit 1;
  }
  syscall($nr->{setns}, fileno($own), 0x20000000) == 0 or return 0;
  return $init // 0;
}

# Makes the namespace of processes, and fills its holder into the configuration of the bundle.
sub begin_container {
  my $init = hold_processes();
  final_event(at => now_ms(), failed => "process namespace\t" . ($! + 0) . "\t$!") unless $init;
  open(my $in, '<', "$bundle/config");
  my $config = do { local $/; <$in> };
  $config =~ s/\@init\@/$init/;           # the first is the namespace's; what a job wrote stays
  open(my $out, '>', "$bundle/config.json");
  syswrite($out, $config);
  close $out or final_event(at => now_ms(), failed => "bundle\t" . ($! + 0) . "\t$!");
}

# The layers of an image with one of the task's own above them, in the namespace of mounts that was just made: whatever
# dies, nothing stays mounted. Names are relative, so that they are short and hold nothing that options end with.
sub mount_layers {
  chdir("$bundle/lower") or fail('layers');
  my ($type, $place, $flags) = ('overlay', '../rootfs', 4);    # MS_NODEV
  my $options = 'lowerdir=' . join(':', 0 .. $spec{layers} - 1) . ',upperdir=../upper,workdir=../overlay';
  syscall($nr->{mount}, $type, $place, $type, $flags, $options) == 0 or fail('overlay of the layers');
  chdir($bundle) or fail('layers');
}

# The write end of exec_write goes through the runtime into the container, and is closed when the task's program starts.
sub run_container {
  syscall($nr->{prctl}, 1, 9, 0, 0, 0);
  if ($spec{hidden_mount} ne '' || $spec{layers}) {
    my ($root, $hidden) = ('/', $spec{hidden_mount});
    syscall($nr->{unshare}, 0x20000) == 0 && syscall($nr->{mount}, 0, $root, 0, 0x84000, 0) == 0 or fail('mounts');
    $hidden eq '' || syscall($nr->{umount2}, $hidden, 2) == 0 or fail('mounts');
  }
  mount_layers() if $spec{layers};
  %ENV = (PATH => $ENV{PATH});
  my @words = ('--root', "$bundle/state", '--log', "$bundle/log", 'run', '--detach', '--bundle', $bundle,
    '--pid-file', "$bundle/pid", $spec{container});
  fcntl($exec_write, 2, 0);               # F_SETFD: not closed by the start of the runtime
  exec { $spec{runtime} } $spec{runtime}, @words or fail($spec{runtime});
}

sub remove_container {
  my $state = "$bundle/state/$spec{container}";
  if (opendir(my $files, $state)) { unlink "$state/$_" for readdir $files; rmdir $state }
  for my $cgroup (@cgroups) {
    # The kernel lets go of a cgroup a moment after its last process.
    for (my $tries = 0; !rmdir($cgroup) && -d $cgroup && $tries < 100; $tries++) { select(undef, undef, undef, 0.01) }
  }
}

# A container that could not be made: what there is of it goes, and why it could not is told.
sub container_failed {
  my ($message) = @_;
  my $log = read_all("$bundle/log");
  my ($last) = $log =~ /([^\n]+)\n*\z/;
  $last = $1 =~ s/\\(.)/$1/gr if defined $last && $last =~ /msg="((?:[^"\\]|\\.)*)"/;
  kill 'KILL', children();
  for (my $tries = 0; $tries < 500 && children(); $tries++) { waitpid(-1, 1); select(undef, undef, undef, 0.01) }
  remove_container();
  final_event(at => now_ms(), failed => "$spec{runtime_name}\t\t" . ($last // $message) =~ s/[\n\t]/ /gr);
}

# A runtime that hangs is no reason to wait for ever.
sub await_runtime {
  $SIG{ALRM} = sub { kill 'KILL', children() };
  alarm 60;
}

# Waits until the runtime has done its work and the task's program has taken its place; gives its main process, and the
# child whose end is the task's, which is the same.
sub container_pid {
  my ($runtime) = @_;
  waitpid($runtime, 0);
  my $main = $? == 0 ? 0 + read_all("$bundle/pid") : 0;
  container_failed("exit status $?") unless $main;
  for (my $tries = 0; $tries < 10_000; $tries++) {
    my ($name, $state) = read_all("/proc/$main/stat") =~ /\((.*)\) (\S)/s;
    if (defined $name && $name ne $spec{runtime_init}) { alarm 0; return ($main, $main) }
    last if !defined $name || $state =~ /[ZX]/;
    select(undef, undef, undef, 0.001);
  }
  container_failed('its program could not be executed: no such interpreter, or no program for this machine');
}

# What the end of the task says more; nothing of it is alive.
sub end_container {
  my $kills = count_memory_kills();
  remove_container();
  return $kills ? (memory_kills => $kills) : ();
}

1;
