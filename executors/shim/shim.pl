# The parent of one task: `perl shim.pl FOLDER`. It keeps the task's output, records its end durably, and outlives the
# agent. No module is loaded, not even strict: each would multiply its memory. FOLDER/spec holds NAME=VALUE fields, each
# closed by a zero byte.
my ($folder) = @ARGV;
my %nr_by_arch = (
  x64   => { fsync => 74, setsid => 112, prctl => 157, gettimeofday => 96,  pidfd_open => 434,
             mount => 165, sethostname => 170, unshare => 272, setns => 308,
             umount2 => 166, eventfd2 => 290, inotify_init1 => 294, inotify_add_watch => 254 },
  arm64 => { fsync => 82, setsid => 157, prctl => 167, gettimeofday => 169, pidfd_open => 434,
             mount => 40,  sethostname => 161, unshare => 97,  setns => 268,
             umount2 => 39,  eventfd2 => 19,  inotify_init1 => 26,  inotify_add_watch => 27 },
);
my (%spec, @args, @cgroups, %env);
open(my $in, '<', "$folder/spec") or die "spec: $!";
{ local $/; $text = <$in>; }
close $in;
for my $field (split /\0/, $text) {
  my ($name, $value) = split /=/, $field, 2;
  if ($name eq 'arg') { push @args, $value }
  elsif ($name eq 'cgroup') { push @cgroups, $value }
  elsif ($name eq 'env') { my ($key, $rest) = split /=/, $value, 2; $env{$key} = $rest }
  else { $spec{$name} = $value }
}
my $nr = $nr_by_arch{$spec{arch}} or die "architecture $spec{arch}";

# Whoever makes the claim starts the task; a second shim for the same launch finds it made and leaves.
# 0301 is O_WRONLY | O_CREAT | O_EXCL, the same on both architectures.
sysopen(my $claim, "$folder/claim", 0301, 0600) or exit 0;
syswrite($claim, "$$\n");
close $claim;

syscall($nr->{setsid});
syscall($nr->{prctl}, 36, 1, 0, 0, 0);    # PR_SET_CHILD_SUBREAPER: orphans of the task become children of the shim
umask 022;
$0 = "muster-shim $folder";

sub now_ms {
  my $time = pack('q2', 0, 0);
  syscall($nr->{gettimeofday}, $time, 0);
  my ($seconds, $micros) = unpack('q2', $time);
  return $seconds * 1000 + int($micros / 1000);
}

sub start_ticks {
  open(my $stat, '<', "/proc/$_[0]/stat") or return 0;
  my $line = <$stat>;
  $line =~ s/^.*\) //s;
  return (split / /, $line)[19];
}

# An event is whole or absent. The end of a task is also made to survive a power cut.
sub event {
  my ($name, $durable, %facts) = @_;
  my $path = "$spec{events}.$name";
  open(my $out, '>', "$path.tmp") or return 0;
  my $text = join('', map { "$_=$facts{$_}\n" } sort keys %facts);
  my $written = (syswrite($out, $text) // 0) == length $text;
  syscall($nr->{fsync}, fileno($out)) if $durable;
  $written = 0 unless close $out;
  return 0 unless $written && rename("$path.tmp", $path);
  if ($durable && sysopen(my $dir, $path =~ s{/[^/]*$}{}r, 0)) { syscall($nr->{fsync}, fileno($dir)) }
  return 1;
}

# A full disk may have room again later: the end of a task is worth waiting for.
sub final_event {
  my %facts = @_;
  for (my $tries = 0; $tries < 86400; $tries++) {
    exit 0 if event('exit', 1, %facts);
    exit 1 unless -d $folder;             # nobody is left to be told
    select(undef, undef, undef, 1);
  }
  exit 1;
}

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

my $bundle = "$folder/oci";
if (defined $spec{runtime}) {
  my $init = hold_processes();
  final_event(at => now_ms(), failed => "process namespace\t" . ($! + 0) . "\t$!") unless $init;
  open(my $in, '<', "$bundle/config");
  my $config = do { local $/; <$in> };
  $config =~ s/\@init\@/$init/;           # the first is the namespace's; what a job wrote stays
  open(my $out, '>', "$bundle/config.json");
  syswrite($out, $config);
  close $out or final_event(at => now_ms(), failed => "bundle\t" . ($! + 0) . "\t$!");
}

my ($pid, $ended, $status) = (0, 0, 0);
pipe(my $out_read, my $out_write);
pipe(my $err_read, my $err_write);
pipe(my $exec_read, my $exec_write);      # closed by exec; what comes through it before is why exec failed
$SIG{HUP} = $SIG{INT} = $SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { kill('TERM', -$pid) or kill('TERM', $pid) if $pid };
$SIG{CHLD} = \&reap;

sub fail { syswrite($exec_write, join("\t", $_[0], $! + 0, "$!")); kill 'KILL', $$; }

# The network of the task's group, with its own host name and its own files of names in place of the host's.
sub join_network {
  sysopen(my $namespace, $spec{netns}, 0) or fail('network namespace');
  syscall($nr->{setns}, fileno($namespace), 0x40000000) == 0 or fail('network namespace');
  # CLONE_NEWNS | CLONE_NEWUTS; then MS_REC | MS_SLAVE: mounts of the host go on to arrive, ours stay here.
  syscall($nr->{unshare}, 0x04020000) == 0 or fail('namespaces');
  my $root = '/';
  syscall($nr->{mount}, 0, $root, 0, 0x84000, 0) == 0 or fail('mounts');
  for my $name (qw(hosts hostname resolv.conf)) {
    my ($from, $to) = ("$spec{net_files}/$name", "/etc/$name");
    next unless -e $to;
    syscall($nr->{mount}, $from, $to, 0, 0x1000, 0) == 0 or fail($to);    # MS_BIND
  }
  syscall($nr->{sethostname}, $spec{hostname}, length $spec{hostname}) == 0 or fail('host name');
}

# The write end of exec_write goes through the runtime into the container, and is closed when the task's program starts.
sub run_container {
  syscall($nr->{prctl}, 1, 9, 0, 0, 0);
  if ($spec{hidden_mount} ne '') {
    my ($root, $hidden) = ('/', $spec{hidden_mount});
    syscall($nr->{unshare}, 0x20000) == 0 && syscall($nr->{mount}, 0, $root, 0, 0x84000, 0) == 0
      && syscall($nr->{umount2}, $hidden, 2) == 0 or fail('mounts');
  }
  %ENV = (PATH => $ENV{PATH});
  my @words = ('--root', "$bundle/state", '--log', "$bundle/log", 'run', '--detach', '--bundle', $bundle,
    '--pid-file', "$bundle/pid", $spec{container});
  fcntl($exec_write, 2, 0);               # F_SETFD: not closed by the start of the runtime
  exec { $spec{runtime} } $spec{runtime}, @words or fail($spec{runtime});
}

$SIG{CHLD} = 'DEFAULT' if defined $spec{runtime};    # until the container's main process is known
$pid = fork();
final_event(at => now_ms(), failed => "fork\t" . ($! + 0) . "\t$!") unless defined $pid;
if ($pid == 0) {
  $SIG{$_} = 'DEFAULT' for qw(HUP INT PIPE TERM CHLD);
  syscall($nr->{setsid});
  open(STDIN, '<', '/dev/null');
  open(STDOUT, '>&', $out_write) && open(STDERR, '>&', $err_write) or fail('output');
  run_container() if defined $spec{runtime};
  join_network() if defined $spec{netns};
  chdir($spec{cwd}) or fail('chdir');
  if (defined $spec{uid}) {
    $! = 0;
    $) = "$spec{gid} $spec{groups}";
    $( = $spec{gid};
    ($<, $>) = ($spec{uid}, $spec{uid});
    fail('user') if $< != $spec{uid} || $> != $spec{uid} || $( + 0 != $spec{gid};
  }
  %ENV = %env;
  exec { $spec{command} } $spec{command}, @args or fail('exec');
}
close $_ for $out_write, $err_write, $exec_write;

sub reap {
  while ((my $dead = waitpid(-1, 1)) > 0) {
    ($ended, $status, $ended_at) = (1, $?, now_ms()) if $dead == $pid;
  }
}

sub read_all {
  open(my $file, '<', $_[0]) or return '';
  local $/;
  return <$file> // '';
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

# Waits until the runtime has done its work and the task's program has taken its place; gives its main process.
sub container_pid {
  my ($runtime) = @_;
  waitpid($runtime, 0);
  my $main = $? == 0 ? 0 + read_all("$bundle/pid") : 0;
  container_failed("exit status $?") unless $main;
  for (my $tries = 0; $tries < 10_000; $tries++) {
    my ($name, $state) = read_all("/proc/$main/stat") =~ /\((.*)\) (\S)/s;
    return $main if defined $name && $name ne $spec{runtime_init};
    last if !defined $name || $state =~ /[ZX]/;
    select(undef, undef, undef, 0.001);
  }
  container_failed('its program could not be executed: no such interpreter, or no program for this machine');
}

my $failure = '';
$SIG{ALRM} = sub { kill 'KILL', children() };
alarm 60 if defined $spec{runtime};       # a runtime that hangs is no reason to wait for ever
1 while sysread($exec_read, $failure, 4096, length $failure) || $! == 4;    # 4: interrupted
close $exec_read;
if ($failure ne '') {
  waitpid($pid, 0);
  final_event(at => now_ms(), failed => $failure =~ s/\n/ /gr);
}
$pid = container_pid($pid) if defined $spec{runtime};
alarm 0;
$SIG{CHLD} = \&reap;
event('started', 0, pid => $pid, start => start_ticks($pid), shim => $$, shim_start => start_ticks($$), at => now_ms());
my $pidfd = syscall($nr->{pidfd_open}, $pid, 0);

# Files are numbered upwards and never renamed, so that a reader can go from one to the next without a gap. Beside each
# stands when its bytes came: "times.NAME.NUMBER".
sub log_open {
  my ($log) = @_;
  for (qw(file times)) { close $log->{$_} if $log->{$_} }
  # 0101 is O_WRONLY | O_CREAT; 02000 is O_APPEND.
  sysopen($log->{file}, "$folder/logs/$log->{name}.$log->{number}", 02101, 0644) or $log->{file} = undef;
  sysopen($log->{times}, "$folder/logs/times.$log->{name}.$log->{number}", 02101, 0644) or $log->{times} = undef;
  $log->{size} = $log->{file} ? -s $log->{file} : 0;
  ($log->{second}, $log->{step}, $log->{entries}) = (0, 1, 0);
}

# Three numbers of 8 bytes: the bytes from the first on came at or after the second and before the third, in ms. At most
# one entry a second, and after each 4,096 entries half as often, so that the times of a file stay small beside it.
sub log_time {
  my ($log, $second) = @_;
  my $now = now_ms();
  $log->{second} = $second;
  syswrite($log->{times}, pack('Q<3', $log->{size}, $now, ($second + $log->{step}) * 1000)) if $log->{times};
  $log->{step} *= 2 if ++$log->{entries} % 4096 == 0;
}

sub log_write {
  my ($log, $data) = @_;
  my $at = 0;
  while ($at < length $data) {
    if ($log->{size} >= $spec{log_bytes}) {
      $log->{number}++;
      log_open($log);
      my $old = $log->{number} - $spec{log_files};
      unlink "$folder/logs/$log->{name}.$old", "$folder/logs/times.$log->{name}.$old";
    }
    return unless $log->{file};
    my $second = time;
    log_time($log, $second) if $second >= $log->{second} + $log->{step} || $second < $log->{second};
    my $room = $spec{log_bytes} - $log->{size};
    my $part = length($data) - $at < $room ? length($data) - $at : $room;
    my $count = syswrite($log->{file}, $data, $part, $at);
    return unless $count;                 # a full disk loses output, it never stops the task
    $at += $count;
    $log->{size} += $count;
  }
}

my %logs = (
  fileno($out_read) => { name => 'stdout', from => $out_read, number => 0 },
  fileno($err_read) => { name => 'stderr', from => $err_read, number => 0 },
);
log_open($_) for values %logs;

# The kernel says when it has ended a process of the task for want of memory: version 1 of cgroups by an eventfd, version 2
# by a change of the file.
my ($memory_notice, $memory_file, $memory_kills, $memory_looks) = (undef, undef, 0, 0);
sub watch_memory {
  my $path = $spec{memory_kills};
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
}

sub count_memory_kills {
  return 0 unless $memory_file;
  sysseek($memory_file, 0, 0);
  sysread($memory_file, my $text, 4096);
  return ($text // '') =~ /^oom_kill (\d+)$/m ? $1 : 0;
}

# The notice of version 1 comes before the kernel has done and counted it.
sub look_memory {
  $memory_looks--;
  my $kills = count_memory_kills();
  return if $kills <= $memory_kills;
  ($memory_kills, $memory_looks) = ($kills, 0);
  event('memory', 0, memory_kills => $kills);
}

watch_memory() if ($spec{memory_kills} // '') ne '';

# Reads what there is within `seconds` (undef: until something happens).
sub pump {
  my ($seconds) = @_;
  my $wanted = '';
  vec($wanted, $_, 1) = 1 for keys %logs;
  vec($wanted, $pidfd, 1) = 1 if $pidfd >= 0 && !$ended;
  vec($wanted, fileno($memory_notice), 1) = 1 if $memory_notice && !$ended;
  my $count = select(my $ready = $wanted, undef, undef, $seconds);
  return 0 if $count <= 0;
  if ($memory_notice && vec($ready, fileno($memory_notice), 1)) {
    sysread($memory_notice, my $notice, 4096);
    $memory_looks = 20;
  }
  for my $number (keys %logs) {
    next unless vec($ready, $number, 1);
    my $got = sysread($logs{$number}{from}, my $data, 65536);
    if ($got) { log_write($logs{$number}, $data) }
    elsif (defined $got) { delete $logs{$number} }
  }
  return 1;
}

# The process descriptor wakes the shim when the task ends; kernels without it are asked every second.
until ($ended) {
  pump($memory_looks > 0 ? 0.05 : $pidfd >= 0 ? 60 : 1);
  look_memory() if $memory_looks > 0;
  reap();
}

sub children {
  if (open(my $list, '<', "/proc/$$/task/$$/children")) { return split / /, <$list> // '' }
  opendir(my $proc, '/proc') or return ();
  return grep { open(my $stat, '<', "/proc/$_/stat") && <$stat> =~ /.*\) \S (\d+) /s && $1 == $$ } grep { /^\d+$/ } readdir $proc;
}

# Whatever the task left behind ends with it: each death hands its children to the shim, until none is left.
my $deadline = now_ms() + 10_000;
for (my $pause = 0.001; (my @left = children()) && now_ms() < $deadline; $pause = $pause < 0.05 ? $pause * 2 : 0.05) {
  kill 'KILL', @left;
  pump($pause);
  select(undef, undef, undef, 0.001);
  reap();
}
1 while %logs && pump(0);
$memory_kills = count_memory_kills() || $memory_kills;
remove_container() if defined $spec{runtime};
final_event(at => $ended_at, code => $status >> 8, signal => $status & 127, ($memory_kills ? (memory_kills => $memory_kills) : ()));
