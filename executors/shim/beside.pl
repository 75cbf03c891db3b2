# Runs one command beside a task: `perl beside.pl`. Descriptor 3 brings its description, NAME=VALUE fields, each closed by
# a zero byte and all of them by another, then orders, one a line. Descriptor 4 is told how it failed or ended. Input and
# output are those of this process, or pass through a terminal. When descriptor 3 ends, so does the command. No module is
# loaded, for the reasons of shim.pl.
my %nr_by_arch = (
  x64   => { setsid => 112, prctl => 157, setns => 308, fchdir => 81, pidfd_open => 434 },
  arm64 => { setsid => 157, prctl => 167, setns => 268, fchdir => 50, pidfd_open => 434 },
);
my $piece_bytes = 65536;
open(my $orders, '+<&=', 3) or die "orders: $!";
open(my $report, '+>&=', 4) or die "report: $!";
fcntl($_, 2, 1) for $orders, $report;     # F_SETFD, FD_CLOEXEC: the command gets neither
$SIG{$_} = 'IGNORE' for qw(HUP INT QUIT PIPE TERM TTOU);

my $text = '';
until ($text =~ /\0\0/) { sysread($orders, $text, $piece_bytes, length $text) or exit 0 }
($text, my $waiting) = split /\0\0/, $text, 2;
my (%spec, @command, @namespaces, @cgroups, %env);
for my $field (split /\0/, $text) {
  my ($name, $value) = split /=/, $field, 2;
  if ($name eq 'command') { push @command, $value }
  elsif ($name eq 'namespace') { push @namespaces, $value }
  elsif ($name eq 'cgroup') { push @cgroups, $value }
  elsif ($name eq 'env') { my ($key, $rest) = split /=/, $value, 2; $env{$key} = $rest }
  else { $spec{$name} = $value }
}
my $nr = $nr_by_arch{$spec{arch}} or die "architecture $spec{arch}";

sub tell_failure { syswrite($report, join("\t", 'failed', $_[0], $! + 0, "$!") . "\n") }
sub refuse { tell_failure(@_); exit 1 }

# Opened before the task's surroundings are entered: its own /proc and /sys may not be there, or show other things.
open(my $children, '<', "/proc/self/task/$$/children");
open(my $stat_file, '<', "/proc/$spec{pid}/stat") or refuse('task');
my @cgroup_files = map { open(my $file, '>', $_) or refuse('cgroup'); $file } @cgroups;
my ($own, $theirs) = (status('self'), status($spec{pid}));
enter() if @namespaces;
$! = 3;                                   # ESRCH: the pid may be another's by now
refuse('task') if start_ticks() != $spec{start};

sub status {
  open(my $in, '<', "/proc/$_[0]/status") or refuse('task');
  return { map { /^(\w+):\s*(.*)$/ ? ($1 => $2) : () } <$in> };
}

sub start_ticks {
  seek($stat_file, 0, 0);
  my $line = <$stat_file> // return -1;
  $line =~ s/^.*\) //s;
  my @fields = split / /, $line;
  return $fields[0] eq 'Z' ? -1 : $fields[19];
}

sub enter {
  my ($root, $folder);
  my @open = map { open(my $file, '<', "/proc/$spec{pid}/ns/$_") or refuse("namespace $_"); [$_, $file] } @namespaces;
  sysopen($root, "/proc/$spec{pid}/root", 0) && sysopen($folder, "/proc/$spec{pid}/cwd", 0) or refuse('folder');
  for (@open) { syscall($nr->{setns}, fileno($_->[1]), 0) == 0 or refuse("namespace $_->[0]") }
  return unless grep { $_ eq 'mnt' } @namespaces;
  syscall($nr->{fchdir}, fileno($root)) == 0 && chroot('.') or refuse('root');
  syscall($nr->{fchdir}, fileno($folder)) == 0 or refuse('folder');
  delete $spec{cwd};
}

# Takes on the account of the task's process, and no more rights than that may ever have. Only root can and need.
sub become {
  return if $> != 0;
  my $lost = bits($own->{CapBnd}) & ~bits($theirs->{CapBnd});
  for my $capability (0 .. 63) {          # PR_CAPBSET_DROP
    syscall($nr->{prctl}, 24, $capability, 0, 0, 0) if $lost >> $capability & 1;
  }
  my ($uid, $gid) = map { (split ' ', $theirs->{$_})[1] } qw(Uid Gid);
  my $groups = $theirs->{Groups} =~ s/\s+$//r;
  $! = 0;
  $) = "$gid " . ($groups eq '' ? $gid : $groups);
  $( = $gid;
  ($<, $>) = ($uid, $uid);
  fail('user') if $< != $uid || $> != $uid || $( + 0 != $gid;
  syscall($nr->{prctl}, 38, 1, 0, 0, 0) if ($theirs->{NoNewPrivs} // 0) == 1;    # PR_SET_NO_NEW_PRIVS
}

sub bits { return hex(substr($_[0], -16, 8)) << 32 | hex(substr($_[0], -8)) }

my ($terminal, $command_side);
sub resize { ioctl($terminal, 0x5414, pack('S4', $_[1], $_[0], 0, 0)) if $terminal }    # TIOCSWINSZ: lines, columns
if ($spec{tty}) {
  my ($unlocked, $number) = (pack('i', 0), pack('i', 0));
  # 0402 is O_RDWR | O_NOCTTY.
  sysopen($terminal, '/dev/ptmx', 0402) or refuse('terminal /dev/ptmx');
  ioctl($terminal, 0x40045431, $unlocked) && ioctl($terminal, 0x80045430, $number) or refuse('terminal');    # TIOCSPTLCK, TIOCGPTN
  my $path = '/dev/pts/' . unpack('i', $number);
  sysopen($command_side, $path, 0402) or refuse("terminal $path");
  chown((split ' ', $theirs->{Uid})[1], -1, $path) if $> == 0;
  resize(split / /, $spec{size});
}

syscall($nr->{prctl}, 36, 1, 0, 0, 0);    # PR_SET_CHILD_SUBREAPER: what the command leaves behind can be ended, too
my $pid = fork();
refuse('fork') unless defined $pid;
if ($pid == 0) {
  $SIG{$_} = 'DEFAULT' for qw(HUP INT QUIT PIPE TERM TTOU);
  sub fail { tell_failure(@_); kill 'KILL', $$ }
  syscall($nr->{setsid});
  if ($command_side) {
    ioctl($command_side, 0x540E, 0) or fail('terminal');    # TIOCSCTTY: Ctrl-C reaches what runs in it
    open(STDIN, '<&', $command_side) && open(STDOUT, '>&', $command_side) && open(STDERR, '>&', $command_side)
      or fail('terminal');
  }
  for (@cgroup_files) { defined(syswrite($_, '0')) or fail('cgroup') }
  if (defined $spec{cwd}) { chdir($spec{cwd}) or fail('chdir') }
  become();
  %ENV = %env;
  exec { $command[0] } @command or fail('exec');
}
close $command_side if $command_side;
close $_ for @cgroup_files;
# Without a terminal the command alone holds input and output, so that their ends are seen.
unless ($terminal) { close STDIN; close STDOUT; close STDERR }
else { fcntl(STDOUT, 4, fcntl(STDOUT, 3, 0) | 2048) }    # F_SETFL, F_GETFL, O_NONBLOCK: a slow reader must not delay orders

my $pidfd = syscall($nr->{pidfd_open}, $pid, 0);
my ($ended, $status, $told_to_end, $input_over) = (0, 0, 0, 0);
my ($to_terminal, $to_reader, $terminal_over) = ('', '', !$terminal);
fcntl($terminal, 4, fcntl($terminal, 3, 0) | 2048) if $terminal;

sub obey {
  my $count = sysread($orders, $waiting, $piece_bytes, length $waiting);
  $told_to_end = 1 if defined $count && $count == 0;
  follow_orders();
}

sub follow_orders {
  while ($waiting =~ s/^([^\n]*)\n//) {
    my ($order, @words) = split / /, $1;
    if ($order eq 'size') { resize(@words) }
    elsif ($order eq 'signal' && !$ended) { kill($words[0], -$pid) or kill($words[0], $pid) }
    elsif ($order eq 'end') { $told_to_end = 1 }
  }
}

# Passes on what can be passed on within `seconds`.
sub pump {
  my ($seconds) = @_;
  my ($readable, $writable) = ('', '');
  vec($readable, fileno($orders), 1) = 1 unless $told_to_end;
  vec($readable, $pidfd, 1) = 1 if $pidfd >= 0 && !$ended;
  vec($readable, 0, 1) = 1 if $terminal && !$ended && !$input_over && length $to_terminal < $piece_bytes;
  vec($readable, fileno($terminal), 1) = 1 if !$terminal_over && length $to_reader < $piece_bytes;
  vec($writable, fileno($terminal), 1) = 1 if !$terminal_over && length $to_terminal;
  vec($writable, 1, 1) = 1 if length $to_reader;
  return if select($readable, $writable, undef, $seconds) <= 0;
  obey() if vec($readable, fileno($orders), 1);
  return unless $terminal;
  if (vec($readable, 0, 1)) {
    my $count = sysread(STDIN, $to_terminal, $piece_bytes, length $to_terminal);
    # A terminal's input has no end; the character that means one tells the command.
    if (defined $count && $count == 0) { $input_over = 1; $to_terminal .= "\x04" }
  }
  if (vec($writable, fileno($terminal), 1)) {
    my $count = syswrite($terminal, $to_terminal);
    substr($to_terminal, 0, $count) = '' if $count;
  }
  if (!$terminal_over && vec($readable, fileno($terminal), 1)) {
    my $count = sysread($terminal, $to_reader, $piece_bytes, length $to_reader);
    # EIO once nobody has the other side open; 11 is EAGAIN, 4 EINTR.
    $terminal_over = 1 unless $count || $! == 11 || $! == 4;
  }
  if (vec($writable, 1, 1)) {
    my $count = syswrite(STDOUT, $to_reader);
    if ($count) { substr($to_reader, 0, $count) = '' }
    elsif ($! != 11 && $! != 4) { $told_to_end = 1; $to_reader = '' }
  }
}

sub reap {
  while ((my $dead = waitpid(-1, 1)) > 0) { ($ended, $status) = (1, $?) if $dead == $pid }
}

follow_orders();
until ($ended || $told_to_end) { pump($pidfd >= 0 ? 60 : 0.1); reap() }

sub left {
  seek($children, 0, 0) if $children;
  my @found = $children ? split(/ /, <$children> // '') : ();
  return @found ? @found : $ended ? () : ($pid);
}

# Whatever the command left behind ends with it: each death hands its children to this process, until none is left.
for (my ($pause, $rounds) = (0.001, 0); (my @left = left()) && $rounds < 2000; $rounds++) {
  kill 'KILL', @left;
  select(undef, undef, undef, $pause);
  $pause *= 2 if $pause < 0.05;
  reap();
}
# Output is complete when the terminal says so; whoever reads slowly is waited for as long as he is there.
for (my $rounds = 0; !$terminal_over && $rounds < 200 || length $to_reader && !$told_to_end; $rounds++) { pump(0.01) }
syswrite($report, join("\t", 'ended', $status >> 8, $status & 127) . "\n");
