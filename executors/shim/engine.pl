# What the shim does more for a task that an Engine runs. The Engine is no child of anybody here, so the shim's child is a
# client of it: it makes the container, hands its output on, waits for its end, and takes it away. When the client dies,
# the shim takes the container away; when the shim dies, its client does.
my $bundle = "$folder/engine";
my $network = "$spec{container}-net";
my $image_of_network = 'muster-network:1';
# Seconds for an answer of the Engine, for the end of output after the end of the container, and for the return of an
# Engine that has gone away while its container ended.
my ($answer_seconds, $drain_seconds, $return_seconds) = (120, 5, 10);
my ($guard_read, $guard_write, $is_leaving);

# By the pipe each of shim and client learns of the other's death.
sub begin_container {
  unlink "$bundle/pid", "$bundle/end";
  pipe($guard_read, $guard_write) or final_event(at => now_ms(), failed => "pipe\t" . ($! + 0) . "\t$!");
}

# The client has limits of its own.
sub await_runtime { }

sub dial {
  socket(my $connection, 1, 1, 0) or return undef;    # AF_UNIX, SOCK_STREAM
  return connect($connection, pack('Sa108', 1, $spec{engine})) ? $connection : undef;
}

# Whether something can be read within so many seconds. A client whose shim has died leaves here.
sub is_ready {
  my ($seconds, @handles) = @_;
  my $wanted = '';
  vec($wanted, fileno($_), 1) = 1 for @handles, $is_leaving ? () : $guard_read;
  my $count = select(my $ready = $wanted, undef, undef, $seconds);
  return () if $count <= 0;
  leave() if !$is_leaving && vec($ready, fileno($guard_read), 1);
  return map { vec($ready, fileno($_), 1) } @handles;
}

sub say_to {
  my ($connection, $method, $path, $body, $type) = @_;
  $body //= '';
  $type //= 'application/json';
  # By the older version of HTTP an answer ends with its connection, and comes in one piece.
  my $text = "$method $path HTTP/1.0\r\nHost: engine\r\nContent-Type: $type\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
  for (my $at = 0; $at < length $text;) {
    my $count = syswrite($connection, $text, length($text) - $at, $at) or return 0;
    $at += $count;
  }
  return 1;
}

# The answer as (status, body); status 0: there was none, and the body says why.
sub ask {
  my $connection = dial() or return (0, "the Engine at $spec{engine} can't be reached: $!");
  say_to($connection, @_) or return (0, "the Engine at $spec{engine} does not listen: $!");
  my ($text, $until) = ('', time + $answer_seconds);
  while (1) {
    return (0, "the Engine at $spec{engine} did not answer within $answer_seconds s") if time >= $until;
    next unless (is_ready(1, $connection))[0];
    my $got = sysread($connection, $text, 65536, length $text);
    last unless $got;
  }
  my ($status, $body) = $text =~ /^HTTP\/1\.\d (\d+).*?\r\n\r\n(.*)\z/s;
  return defined $status ? ($status, $body) : (0, "the Engine at $spec{engine} broke off");
}

# Sends a request whose answer comes piece by piece; gives its connection, after the head of the answer.
sub begin_stream {
  my ($path) = @_;
  my $connection = dial() or return undef;
  say_to($connection, 'POST', $path) or return undef;
  my ($head, $until) = ('', time + $answer_seconds);
  while ($head !~ /\r\n\r\n\z/) {
    return undef if time >= $until;
    next unless (is_ready(1, $connection))[0];
    sysread($connection, $head, 1, length $head) or return undef;
  }
  return $head =~ /^HTTP\/1\.\d (101|200) / ? $connection : undef;
}

sub attach { return begin_stream("/containers/$spec{container}/attach?stream=1&stdout=1&stderr=1") }
sub await_end { return begin_stream("/containers/$spec{container}/wait?condition=$_[0]") }

sub message_of {
  my ($text) = @_;
  my ($message) = $text =~ /"message":"((?:[^"\\]|\\.)*)"/s;
  return defined $message ? $message =~ s/\\n/ /gr =~ s/\\(.)/$1/gr : $text;
}

# What takes memory and a name of the Engine goes; what is gone already stays gone.
sub remove_containers {
  ask('DELETE', "/containers/$_?force=1&v=1") for $network, $spec{container};
}

# Nobody would be told any more how it ends.
sub leave {
  $is_leaving = 1;
  remove_containers();
  exit 1;
}

sub give_up {
  my ($stage, $text) = @_;
  remove_containers();
  syswrite($exec_write, "$stage\t\t" . $text =~ s/[\t\n]/ /gr);
  kill 'KILL', $$;
}

sub make {
  my ($name, $body) = @_;
  my ($status, $text) = ask('POST', "/containers/create?name=$name", $body);
  return ($status, $text) if $status == 201 || $status == 404;
  give_up('engine', message_of($text));
}

sub start {
  my ($status, $text) = ask('POST', "/containers/$_[0]/start");
  give_up('engine', message_of($text)) unless $status == 204;
}

sub init_of {
  my ($status, $text) = ask('GET', "/containers/$_[0]/json");
  return $text =~ /(?<!\\)"Pid":(\d+)/ ? $1 : 0;
}

# An Engine lets a container join nothing but the network of another one. So there is one for the moment of the start
# that has gone into the network of the task's group by itself.
sub hold_network {
  my $body = read_all("$bundle/network.json");
  my ($status, $text) = make($network, $body);
  if ($status == 404) {
    # An empty image: what runs in it are the host's own programs.
    my ($name, $tag) = split /:/, $image_of_network;
    ask('POST', "/images/create?fromSrc=-&repo=$name&tag=$tag", "\0" x 1024, 'application/x-tar');
    ($status, $text) = make($network, $body);
  }
  give_up('engine', message_of($text)) unless $status == 201;
  start($network);
  my $wanted = (stat $spec{engine_netns})[1] // 0;
  my $init = init_of($network);
  for (my $tries = 0; $tries < 5_000; $tries++) {
    my $joined = (stat "/proc/$init/ns/net")[1] or last;
    return if $joined == $wanted;
    is_ready(0.001);
  }
  give_up('network', "the Engine's container did not get into the network of the group");
}

# A plain file of the image, by the answer's tar.
sub image_file {
  my ($status, $tar) = ask('GET', "/containers/$spec{container}/archive?path=$_[0]");
  return '' unless $status == 200 && length $tar > 512 && substr($tar, 156, 1) =~ /[0\0]/;
  return substr($tar, 512, oct(substr($tar, 124, 11)));
}

# Folders belong to who the task is: by number, or by the image's own files of names.
sub give_folders {
  my ($user, $group) = split /:/, $spec{engine_user}, 2;
  return if $user eq '' || $user eq 'root' || $user eq '0';
  my ($line) = grep { my @row = split /:/; $row[0] eq $user || ($row[2] // '') eq $user } split /\n/, image_file('/etc/passwd');
  my ($uid, $gid) = defined $line ? (split /:/, $line)[2, 3] : $user =~ /^\d+$/ ? ($user, 0) : $user eq 'nobody' ? (65534, 65534) : ();
  give_up('user', "user $user is not known in its image") unless defined $uid;
  if (defined $group && $group ne '') {
    my ($row) = grep { /^\Q$group\E:/ } split /\n/, $group =~ /^\d+$/ ? '' : image_file('/etc/group');
    $gid = $group =~ /^\d+$/ ? $group : defined $row ? (split /:/, $row)[2] : give_up('user', "group $group is not known in its image");
  }
  chown($uid, $gid, $_) for split /\n/, $spec{engine_folders};
}

# The Engine's own first process of the container has one child, which becomes the task's program. Gives it, or 0 if the
# container has ended before it was seen.
sub find_program {
  my ($waiting) = @_;
  my ($init, $until) = (init_of($spec{container}), time + $answer_seconds);
  while ($init && time < $until) {
    my ($program) = read_all("/proc/$init/task/$init/children") =~ /^(\d+)/;
    my ($first, $own) = (readlink("/proc/$init/exe"), $program && readlink("/proc/$program/exe"));
    # A number, not a text: of that `syscall` would hand on the place.
    return 0 + $program if defined $first && defined $own && $first ne $own;
    return 0 if !-d "/proc/$init" || (is_ready(0.001, $waiting))[0];
  }
  return 0;
}

# Output comes in frames: a byte for the stream, three without meaning, four for the length.
my ($frames, $stream, $left, @early) = ('', 0, 0);
sub relay {
  my ($attached, $is_early) = @_;
  my $got = sysread($attached, $frames, 65536, length $frames);
  return 0 unless $got;
  while (length $frames) {
    if ($left == 0) {
      last if length $frames < 8;
      ($stream, $left) = unpack('Cx3N', substr($frames, 0, 8, ''));
      next;
    }
    my $part = substr($frames, 0, $left, '');
    $left -= length $part;
    if ($is_early) { push @early, [$stream, $part] }
    else { hand_on($stream, $part) }
  }
  return 1;
}

sub hand_on {
  my ($to, $data) = @_;
  for (my $at = 0; $at < length $data;) {
    my $count = syswrite($to == 2 ? STDERR : STDOUT, $data, length($data) - $at, $at);
    leave() unless $count;                # nobody keeps it any more
    $at += $count;
  }
}

sub rest_of {
  my ($connection) = @_;
  my $text = '';
  1 while sysread($connection, $text, 4096, length $text);
  return $text;
}

# How a process that is no child has ended, as `waitpid` gives it: kernels from 6.15 on tell whoever held it open.
sub end_by_kernel {
  my ($pidfd) = @_;
  return undef unless $pidfd;
  for (my $tries = 0; $tries < 50; $tries++) {
    my $info = pack('Q', 8) . "\0" x 56;    # PIDFD_INFO_EXIT
    ioctl($pidfd, 0xC040FF0B, $info) or return undef;
    return unpack('l', substr($info, 60, 4)) if unpack('Q', $info) & 8;
    is_ready(0.01);
  }
  return undef;
}

# The Engine went away. Its container may run on: then it is taken up again when the Engine is back. Gives the new
# connections, and the code if it has ended.
sub return_of_engine {
  my ($pidfd) = @_;
  my $gone_until;
  while (1) {
    is_ready(0.25);
    my ($status, $text) = ask('GET', "/containers/$spec{container}/json");
    if ($status == 200 && $text =~ /(?<!\\)"Running":true/) {
      my ($attached, $waiting) = (attach(), await_end('not-running'));
      return ($attached, $waiting) if $waiting;
    }
    elsif ($status == 200) { return (undef, undef, $text =~ /(?<!\\)"ExitCode":(\d+)/ ? $1 : undef) }
    elsif ($status == 404) { return () }
    next if $pidfd && !(is_ready(0, $pidfd))[0];
    # What it wrote last is lost with the connection, whether the Engine comes back or not.
    return () if defined end_by_kernel($pidfd);
    $gone_until //= time + $return_seconds;
    return () if time >= $gone_until;
  }
}

# The client: everything from the making of the container to its end.
sub run_container {
  close $guard_write;
  $SIG{$_} = 'IGNORE' for qw(HUP INT TERM PIPE);
  $0 = "muster-engine $folder";
  hold_network() if $spec{engine_netns} ne '';
  my ($status, $text) = make($spec{container}, read_all("$bundle/create.json"));
  give_up('engine', message_of($text)) unless $status == 201;
  give_folders();
  my $attached = attach() or give_up('engine', 'the output of the container is not to be had');
  my $waiting = await_end('next-exit') or give_up('engine', 'the end of the container is not to be had');
  start($spec{container});
  ask('DELETE', "/containers/$network?force=1&v=1") if $spec{engine_netns} ne '';
  my $program = find_program($waiting);
  my ($pidfd, $code);
  if ($program) {
    my $number = syscall($nr->{pidfd_open}, $program, 0);
    open($pidfd, '<&=', $number) or $pidfd = undef if $number >= 0;
  } else {
    give_up('engine', 'the container does not begin its program') unless (is_ready($drain_seconds, $waiting))[0];
    ($code) = rest_of($waiting) =~ /"StatusCode":(\d+)/;
    undef $waiting;
    while ((is_ready($drain_seconds, $attached))[0]) { relay($attached, 1) or last }
    undef $attached;
    my $errors = join '', map { $_->[1] } grep { $_->[0] == 2 } @early;
    give_up('exec', $1) if ($code // 0) =~ /^12[67]$/ && $errors =~ /^\[FATAL tini \(\d+\)\] exec .* failed: (.*)$/m;
  }
  open(my $out, '>', "$bundle/pid");
  syswrite($out, $program);
  close $out;
  close $exec_write;
  hand_on(@$_) for @early;
  while ($attached || $waiting) {
    my @handles = grep { $_ } $attached, $waiting;
    my @ready = is_ready($waiting ? 60 : $drain_seconds, @handles);
    last if !@ready && !$waiting;
    for my $at (0 .. $#ready) {
      next unless $ready[$at];
      if ($attached && $handles[$at] == $attached) { relay($attached) or undef $attached }
      else {
        ($code) = rest_of($waiting) =~ /"StatusCode":(\d+)/;
        undef $waiting;
        next if defined $code;
        ($frames, $left) = ('', 0);
        ($attached, $waiting, $code) = return_of_engine($pidfd);
        last;
      }
    }
  }
  ($status, $text) = ask('GET', "/containers/$spec{container}/json");
  my $end = end_by_kernel($pidfd);
  exit 1 unless defined $end || defined $code;
  remove_containers();
  my $facts = defined $end ? "code=" . ($end >> 8) . "\nsignal=" . ($end & 127) : "code=$code\nsignal=0";
  $facts .= "\nmemory=" . ($text =~ /(?<!\\)"OOMKilled":true/ ? 1 : 0) . "\n";
  open($out, '>', "$bundle/end");
  syswrite($out, $facts);
  close $out;
  exit 0;
}

# The file in which the kernel counts what it has ended for want of memory, by the control group of the process.
sub memory_file {
  my ($main) = @_;
  my $groups = read_all("/proc/$main/cgroup");
  my ($path) = $spec{engine_memory} =~ /events$/ ? $groups =~ /^0::(.*)$/m : $groups =~ /^\d+:(?:\w+,)*memory(?:,\w+)*:(.*)$/m;
  return '' unless defined $path && $path ne '/';
  return $spec{engine_memory} =~ s/(\/[^\/]*)$/$path$1/r;
}

# The client has made it or died; gives the task's main process, and the child whose end is the task's: the client.
sub container_pid {
  my ($client) = @_;
  my $main = 0 + (read_all("$bundle/pid") || 0);
  $spec{memory_kills} = $main && $spec{engine_memory} ne '' ? memory_file($main) : '';
  return ($main || $client, $client);
}

# What the end of the task says more. Of a client that was killed nothing is known: its task has lost who looks after it.
sub end_container {
  my %end = read_all("$bundle/end") =~ /^(\w+)=(\d+)$/mg;
  if (!exists $end{code}) {
    remove_containers();
    exit 1;
  }
  my $kills = count_memory_kills() || $end{memory};
  return (code => $end{code}, signal => $end{signal}, $kills ? (memory_kills => $kills) : ());
}

1;
