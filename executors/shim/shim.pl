# The parent of one task: `perl shim.pl FOLDER`. It keeps the task's output, records its end durably, and outlives the
# agent. No module is loaded, not even strict: each would multiply its memory. FOLDER/spec holds NAME=VALUE fields, each
# closed by a zero byte.
our ($folder) = @ARGV;
my $program = $0;
my %nr_by_arch = (
  x64   => { fsync => 74, execve => 59,  setsid => 112, prctl => 157, gettimeofday => 96,  pidfd_open => 434,
             mount => 165, sethostname => 170, unshare => 272, setns => 308,
             umount2 => 166, eventfd2 => 290, inotify_init1 => 294, inotify_add_watch => 254 },
  arm64 => { fsync => 82, execve => 221, setsid => 157, prctl => 167, gettimeofday => 169, pidfd_open => 434,
             mount => 40,  sethostname => 161, unshare => 97,  setns => 268,
             umount2 => 39,  eventfd2 => 19,  inotify_init1 => 26,  inotify_add_watch => 27 },
);

# `perl shim.pl - ARCH` makes shims: a fork for each FOLDER that it reads, closed by a zero byte. Each end of one it tells
# as "FOLDER\tSTATUS\tFAULT\0". It ends with its input, and leaves its shims alone.
sub make_shims {
  my ($block, $signalfd4) = $_[0] eq 'arm64' ? (135, 74) : (14, 289);
  my ($text, %folders) = ('');
  # A handler of perl's may come too late to wake `select`; a descriptor does not.
  my $chld = pack('Q', 1 << 16);
  syscall($block, 0, $chld, 0, 8);
  my $number = syscall($signalfd4, -1, $chld, 8, 0x80000);
  open(my $deaths, '<&=', $number) or die "signalfd: $!";
  $SIG{PIPE} = 'IGNORE';
  while (1) {
    my $wanted = '';
    vec($wanted, $_, 1) = 1 for 0, $number;
    next unless select(my $ready = $wanted, undef, undef, undef) > 0;
    if (vec($ready, $number, 1)) {
      sysread($deaths, my $notice, 4096);
      while ((my $dead = waitpid(-1, 1)) > 0) { syswrite(STDOUT, delete($folders{$dead}) . "\t$?\t\0") }
    }
    next unless vec($ready, 0, 1);
    sysread(STDIN, $text, 65536, length $text) or exit 0;
    while ($text =~ s/^([^\0]*)\0//) {
      my ($named, $pid) = ($1, fork());
      if (!defined $pid) { syswrite(STDOUT, "$named\t\tfork: $!\0"); next }
      if ($pid) { $folders{$pid} = $named; next }
      open(STDIN, '<', '/dev/null');
      open(STDOUT, '>', '/dev/null');
      syscall($block, 1, $chld, 0, 8);
      return $named;
    }
  }
}
$folder = make_shims($ARGV[1]) if $folder eq '-';

our (%spec, @cgroups);
my (@args, %env);
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
our $nr = $nr_by_arch{$spec{arch}} or die "architecture $spec{arch}";

# Whoever makes the claim starts the task; a second shim for the same attempt finds it made and leaves.
# 0301 is O_WRONLY | O_CREAT | O_EXCL, the same on both architectures.
sysopen(my $claim, "$folder/" . ($spec{claim} // 'claim'), 0301, 0600) or exit 0;
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
  return (split / /, $line)[19] // 0;
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

# A task in a container is made by a runtime below the shim, or by an Engine beside it. What that takes is loaded only then.
my $container = defined $spec{runtime} ? 'container.pl' : defined $spec{engine} ? 'engine.pl' : '';
if ($container ne '') {
  require($program =~ s/[^\/]*$/$_/r) for 'contained.pl', $container;
  begin_container();
}

# The task's main process, and the child of the shim whose end is the task's: the same, but for a task of an Engine.
my ($pid, $child, $ended, $status) = (0, 0, 0, 0);
pipe(my $out_read, my $out_write);
pipe(my $err_read, my $err_write);
pipe(my $exec_read, our $exec_write);      # closed by exec; what comes through it before is why exec failed
$SIG{HUP} = $SIG{INT} = $SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { kill('TERM', -$pid) or kill('TERM', $pid) if $pid };
$SIG{CHLD} = 'DEFAULT';    # until the start is recorded: of a command that is reaped nothing can be read

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

# By the kernel's call itself: perl's exec has a shell read what is no program of this machine.
sub run_program {
  my @variables = map { "$_=$env{$_}" } keys %env;
  my $words = pack('p*', $spec{command}, @args, undef);
  my $environment = pack('p*', @variables, undef);
  my @folders = $spec{command} =~ /\// ? () : split /:/, $env{PATH} // '/usr/bin:/bin', -1;
  my $denied = 0;
  for my $path (@folders ? map { ($_ eq '' ? '.' : $_) . "/$spec{command}" } @folders : $spec{command}) {
    syscall($nr->{execve}, $path, $words, $environment);
    $denied = 1 if $! == 13;
    last unless $! == 2 || $! == 13 || $! == 20;   # ENOENT, EACCES, ENOTDIR: another folder may have it
  }
  $! = 13 if $denied && ($! == 2 || $! == 20);
  fail('exec');
}

$child = $pid = fork();
final_event(at => now_ms(), failed => "fork\t" . ($! + 0) . "\t$!") unless defined $pid;
if ($pid == 0) {
  $SIG{$_} = 'DEFAULT' for qw(HUP INT PIPE TERM CHLD);
  syscall($nr->{setsid});
  open(STDIN, '<', '/dev/null');
  open(STDOUT, '>&', $out_write) && open(STDERR, '>&', $err_write) or fail('output');
  run_container() if $container ne '';
  join_network() if defined $spec{netns};
  chdir($spec{cwd}) or fail('chdir');
  setpriority(0, 0, $spec{nice}) or fail('priority') if defined $spec{nice};
  if (defined $spec{uid}) {
    $! = 0;
    $) = "$spec{gid} $spec{groups}";
    $( = $spec{gid};
    ($<, $>) = ($spec{uid}, $spec{uid});
    fail('user') if $< != $spec{uid} || $> != $spec{uid} || $( + 0 != $spec{gid};
  }
  run_program();
}
close $_ for $out_write, $err_write, $exec_write;

# Called from the main line and by SIGCHLD, also in the midst of itself: each keeps its own $? and $!.
sub reap {
  local ($?, $!);
  while ((my $dead = waitpid(-1, 1)) > 0) {
    ($ended, $status, $ended_at) = (1, $?, now_ms()) if $dead == $child;
  }
}

my $failure = '';
await_runtime() if $container ne '';
1 while sysread($exec_read, $failure, 4096, length $failure) || $! == 4;    # 4: interrupted
close $exec_read;
if ($failure ne '') {
  waitpid($child, 0);
  final_event(at => now_ms(), failed => $failure =~ s/\n/ /gr);
}
($pid, $child) = container_pid($child) if $container ne '';
event('started', 0, pid => $pid, start => start_ticks($pid), shim => $$, shim_start => start_ticks($$), at => now_ms());
my $pidfd = syscall($nr->{pidfd_open}, $child, 0);
$SIG{CHLD} = \&reap;
reap();

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

# An attempt goes on where the one before it has ended.
sub last_number {
  my ($name) = @_;
  opendir(my $logs, "$folder/logs") or return 0;
  my $last = 0;
  for (readdir $logs) { $last = $1 if /^$name\.(\d+)$/ && $1 > $last }
  return $last;
}

my %logs = (
  fileno($out_read) => { name => 'stdout', from => $out_read, number => last_number('stdout') },
  fileno($err_read) => { name => 'stderr', from => $err_read, number => last_number('stderr') },
);
log_open($_) for values %logs;

watch_memory() if $container ne '';

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
  my $is_later = !pump($memory_looks > 0 ? 0.05 : $pidfd >= 0 ? 60 : 1);
  look_memory($is_later) if $memory_looks > 0;
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
final_event(at => $ended_at, code => $status >> 8, signal => $status & 127, $container ne '' ? end_container() : ());
