# Reaches tasks where the agent's own process can't go: `perl dialer.pl SOCKET ARCH`. One process per agent. Each
# connection to the Unix socket is one request, served by a process of its own, and lives as long as that connection:
#   dial HEXADDRESS PORT [PATH]   connects from the network namespace at PATH; answers "ok" or "error TEXT", then passes
#                                 bytes both ways
#   run LENGTH                    and so many bytes of NAME=VALUE fields, each closed by a zero byte: runs a command in the
#                                 surroundings of the process `pid`; answers "exit CODE SIGNAL" or "error TEXT", then output
# It ends when its standard input does, that is with the agent. No module is loaded, not even strict.
my ($path, $arch) = @ARGV;
my %nr_by_arch = (
  x64   => { setns => 308, setsid => 112, prctl => 157 },
  arm64 => { setns => 268, setsid => 157, prctl => 167 },
);
my $nr = $nr_by_arch{$arch} or die "architecture $arch\n";
my $request_bytes_max = 1024 * 1024;
my $output_bytes_max = 1024;              # of a command's output are kept
my $buffer_bytes_max = 65536;
my $linger_seconds = 0.25;                # a server has so long to say its last words after the client has ended
my $clear_rounds_max = 200;               # some 10 s
my $in_progress = 115;                    # EINPROGRESS
my $interrupted = 4;                      # EINTR
my %flag_of = (                           # CLONE_NEWNET and so on: a namespace of another kind is refused
  net => 0x40000000, ipc => 0x08000000, uts => 0x04000000, cgroup => 0x02000000, pid => 0x20000000, mnt => 0x00020000,
);

$0 = 'muster-dialer';
umask 077;
socket(my $listener, 1, 1, 0) or die "socket: $!\n";     # AF_UNIX, SOCK_STREAM
unlink $path;
# The socket goes with its dialer, unless another has put its own in its place since.
my $inode;
sub leave {
  unlink $path if defined $inode && $inode == ((stat $path)[1] // 0);
  exit 0;
}
$SIG{TERM} = \&leave;
bind($listener, pack('Sa*', 1, "$path\0")) or die "bind $path: $!\n";
$inode = (stat $path)[1];
listen($listener, 128) or die "listen: $!\n";
$SIG{CHLD} = $SIG{INT} = $SIG{HUP} = $SIG{PIPE} = 'IGNORE';
syswrite(STDOUT, "ready\n");

while (1) {
  my $wanted = '';
  vec($wanted, fileno($_), 1) = 1 for \*STDIN, $listener;
  next unless select(my $ready = $wanted, undef, undef, undef) > 0;
  leave() if vec($ready, fileno(STDIN), 1) && !sysread(STDIN, my $ignored, 4096);
  next unless vec($ready, fileno($listener), 1);
  accept(my $client, $listener) or next;
  my $child = fork();
  if (defined $child && $child == 0) {
    $SIG{TERM} = 'DEFAULT';
    close $listener;
    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>', '/dev/null');
    serve($client);
    exit 0;
  }
  close $client;
}

sub serve {
  my ($client) = @_;
  my $text = '';
  until ($text =~ /\n/) { take($client, \$text) or return }
  my ($line, $rest) = split /\n/, $text, 2;
  if ($line =~ /^dial ([0-9a-f]{8}|[0-9a-f]{32}) (\d+)(?: (.+))?$/) { dial($client, $1, $2, $3 // '') }
  elsif ($line =~ /^run (\d+)$/ && $1 <= $request_bytes_max) {
    my $length = $1;
    while (length $rest < $length) { take($client, \$rest) or return }
    run($client, $rest);
  }
  else { answer($client, 'error no such request') }
}

sub take {
  my ($from, $text) = @_;
  my $got;
  do { $got = sysread($from, $$text, 65536, length $$text) } while !defined $got && $! == $interrupted;
  return $got && length $$text <= $request_bytes_max + 4096;
}

# Gives everything or gives up.
sub answer {
  my ($client, $line, $more) = @_;
  my $text = "$line\n" . ($more // '');
  my $at = 0;
  while ($at < length $text) { $at += syswrite($client, $text, length($text) - $at, $at) || return }
}

sub enter {
  my ($kind, $namespace) = @_;
  return syscall($nr->{setns}, fileno($namespace), $flag_of{$kind}) == 0;
}

# ---- dial

sub dial {
  my ($client, $address, $port, $namespace) = @_;
  if ($namespace ne '') {
    open(my $in, '<', $namespace) or return answer($client, "error $namespace: $!");
    enter('net', $in) or return answer($client, "error $namespace is no network namespace that can be entered: $!");
  }
  my $bytes = pack('H*', $address);
  my $is_v4 = length $bytes == 4;
  socket(my $task, $is_v4 ? 2 : 10, 1, 0) or return answer($client, "error socket: $!");
  fcntl($task, 4, 04000);                 # F_SETFL, O_NONBLOCK
  my $to = $is_v4 ? pack('S n a4 x8', 2, $port, $bytes) : pack('S n N a16 L', 10, $port, 0, $bytes, 0);
  if (!connect($task, $to)) {
    return answer($client, "error connect: $!") if $! != $in_progress;
    my ($gone, $open) = wait_for([$client], [$task]);
    return if $gone->{fileno $client};    # nobody waits for the answer
    $! = unpack('i', getsockopt($task, 1, 4));            # SOL_SOCKET, SO_ERROR
    return answer($client, "error connect: $!") if $! != 0;
  }
  answer($client, 'ok');
  fcntl($client, 4, 04000);
  pass($client, $task);
}

# Waits until something can be read or written; gives the numbers of what can.
sub wait_for {
  my ($read, $write, $seconds) = @_;
  my ($in, $out) = ('', '');
  vec($in, fileno($_), 1) = 1 for @$read;
  vec($out, fileno($_), 1) = 1 for @$write;
  my $count;
  do { $count = select(my $can_read = $in, my $can_write = $out, undef, $seconds); ($in, $out) = ($can_read, $can_write) if $count >= 0 }
    while $count < 0 && $! == $interrupted;
  my %readable = map { fileno($_) => 1 } grep { vec($in, fileno($_), 1) } @$read;
  my %writable = map { fileno($_) => 1 } grep { vec($out, fileno($_), 1) } @$write;
  return (\%readable, \%writable, $count);
}

# Passes bytes both ways until both sides have ended, or one is broken.
sub pass {
  my @ends = @_;
  my @waiting = ('', '');                 # read from an end, not yet written to the other
  my @reads = (1, 1);
  while ($reads[0] || $reads[1] || length "$waiting[0]$waiting[1]") {
    my @from = map { $ends[$_] } grep { $reads[$_] && length $waiting[$_] < $buffer_bytes_max } 0, 1;
    my @to = map { $ends[1 - $_] } grep { length $waiting[$_] } 0, 1;
    my ($readable, $writable, $count) = wait_for(\@from, \@to, $reads[0] ? undef : $linger_seconds);
    return if $count <= 0;
    for my $side (0, 1) {
      if ($writable->{fileno $ends[1 - $side]}) {
        my $sent = syswrite($ends[1 - $side], $waiting[$side]);
        return unless defined $sent;
        substr($waiting[$side], 0, $sent, '');
      }
      if ($readable->{fileno $ends[$side]}) {
        my $got = sysread($ends[$side], $waiting[$side], $buffer_bytes_max, length $waiting[$side]);
        return unless defined $got;
        $reads[$side] = 0 unless $got;
      }
      shutdown($ends[1 - $side], 1) unless $reads[$side] || length $waiting[$side];
    }
  }
}

# ---- run

sub run {
  my ($client, $text) = @_;
  my (%spec, @args, @kinds, @cgroups, %env);
  for my $field (split /\0/, $text) {
    my ($name, $value) = split /=/, $field, 2;
    if ($name eq 'arg') { push @args, $value }
    elsif ($name eq 'namespace') { push @kinds, $value }
    elsif ($name eq 'cgroup') { push @cgroups, $value }
    elsif ($name eq 'env') { my ($key, $rest) = split /=/, $value, 2; $env{$key} = $rest }
    else { $spec{$name} = $value }
  }
  my $place = surroundings(\%spec, \@kinds) or return answer($client, 'error the task has ended');
  if ($place->{namespaces}{pid}) {        # holds for children
    enter('pid', $place->{namespaces}{pid}) or return answer($client, "error pid namespace: $!");
  }
  pipe(my $report_read, my $report_write);
  pipe(my $out_read, my $out_write);
  $SIG{CHLD} = 'DEFAULT';
  my $keeper = fork();
  return answer($client, "error fork: $!") unless defined $keeper;
  if ($keeper == 0) {
    close $client;
    @$place{qw(cgroups args env)} = (\@cgroups, \@args, \%env);
    keep($place, $report_write, $out_write, \%spec);
  }
  close $_ for $report_write, $out_write;

  my ($report, $output) = ('', '');
  my @sources = ($client, $report_read, $out_read);
  while (@sources) {
    my ($readable) = wait_for(\@sources, []);
    my @ready = grep { $readable->{fileno $_} } @sources;
    for my $source (@ready) {
      my $got = sysread($source, my $data, 4096);
      if ($source == $report_read) { $report .= $data }
      elsif ($source == $out_read) { $output .= substr($data, 0, $output_bytes_max - length $output) }
      if ($source == $out_read) { @sources = grep { $_ != $out_read } @sources unless $got }
      else { @sources = () if !$got || $source == $client || $report =~ /\n/ }
    }
  }
  # What it has written before its end may still lie in the pipe.
  while ((wait_for([$out_read], [], 0))[2] > 0 && sysread($out_read, my $data, 4096)) {
    $output .= substr($data, 0, $output_bytes_max - length $output);
  }
  clear($keeper);
  answer($client, $report =~ /^((?:exit|error) .*)$/m ? $1 : 'error the task has ended', $output);
}

# What the command is to share with the task's process. Opened first, looked at afterwards: the pid may be another's.
sub surroundings {
  my ($spec, $kinds) = @_;
  my $pid = $spec->{pid};
  my %place = (kinds => $kinds, namespaces => {}, own => status('self'), status => status($pid));
  for my $kind (@$kinds) { open($place{namespaces}{$kind}, '<', "/proc/$pid/ns/$kind") or return }
  if ($place{namespaces}{mnt}) {
    opendir($place{root}, "/proc/$pid/root") && opendir($place{folder}, "/proc/$pid/cwd") or return;
  }
  return start_ticks($pid) == $spec->{start} ? \%place : undef;
}

sub status {
  open(my $in, '<', "/proc/$_[0]/status") or return {};
  return { map { /^(\w+):\s*(.*)$/ ? ($1 => $2) : () } <$in> };
}

sub start_ticks {
  open(my $stat, '<', "/proc/$_[0]/stat") or return -1;
  my $line = <$stat>;
  $line =~ s/^.*\) //s;
  my @fields = split / /, $line;
  return $fields[0] eq 'Z' ? -1 : $fields[19];
}

# Starts the command and stays until nothing of it is left: what it leaves behind becomes the keeper's child.
sub keep {
  my ($place, $report, $out, $spec) = @_;
  my $tell = sub { syswrite($report, "$_[0]\n") };
  my $fail = sub { $tell->("error $_[0]: $!"); kill 'KILL', $$ };
  syscall($nr->{prctl}, 36, 1, 0, 0, 0);  # PR_SET_CHILD_SUBREAPER
  open(my $null, '+<', '/dev/null') or $fail->('/dev/null');
  for my $file (@{ $place->{cgroups} }) {
    open(my $procs, '>', $file) or $fail->($file);
    syswrite($procs, '0') or $fail->($file);              # this process
    close $procs;
  }
  for my $kind (grep { $_ ne 'pid' } @{ $place->{kinds} }) {
    enter($kind, $place->{namespaces}{$kind}) or $fail->("$kind namespace");
  }
  if ($place->{namespaces}{mnt}) {
    chdir($place->{root}) && chroot('.') && chdir($place->{folder}) or $fail->('root');
  }
  else { chdir($spec->{cwd}) or $fail->('chdir') }
  become($place, $fail);
  my $command = fork();
  $fail->('fork') unless defined $command;
  if ($command == 0) {
    $SIG{$_} = 'DEFAULT' for qw(HUP INT PIPE);
    syscall($nr->{setsid});
    umask 022;
    open(STDIN, '<&', $null) && open(STDOUT, '>&', $out) && open(STDERR, '>&', $out) or $fail->('output');
    %ENV = %{ $place->{env} };
    exec { $spec->{command} } $spec->{command}, @{ $place->{args} } or $fail->("$spec->{command} can't be run");
  }
  close $out;
  while ((my $dead = waitpid(-1, 0)) > 0) {
    $tell->('exit ' . ($? >> 8) . ' ' . ($? & 127)) if $dead == $command;
  }
  exit 0;
}

# Takes on the account of the task's process, and no more rights than that may ever have. Only root can and need.
sub become {
  my ($place, $fail) = @_;
  my ($own, $status) = ($place->{own}, $place->{status});
  return if $> != 0;
  my $lost = bits($own->{CapBnd}) & ~bits($status->{CapBnd});
  for my $capability (0 .. 63) {          # PR_CAPBSET_DROP
    syscall($nr->{prctl}, 24, $capability, 0, 0, 0) if $lost >> $capability & 1;
  }
  my ($uid, $gid) = map { (split ' ', $status->{$_})[1] } qw(Uid Gid);
  my $groups = $status->{Groups} =~ s/\s+$//r;
  $! = 0;
  $) = "$gid " . ($groups eq '' ? $gid : $groups);
  $( = $gid;
  ($<, $>) = ($uid, $uid);
  $fail->('user') if $< != $uid || $> != $uid || $( + 0 != $gid;
  syscall($nr->{prctl}, 38, 1, 0, 0, 0) if ($status->{NoNewPrivs} // 0) == 1;   # PR_SET_NO_NEW_PRIVS
}

sub bits {
  my ($text) = @_;
  return hex(substr($text, -16, 8)) << 32 | hex(substr($text, -8));
}

sub children {
  my ($pid) = @_;
  if (open(my $list, '<', "/proc/$pid/task/$pid/children")) { return split / /, <$list> // '' }
  opendir(my $proc, '/proc') or return ();
  return grep { open(my $stat, '<', "/proc/$_/stat") && <$stat> =~ /.*\) \S (\d+) /s && $1 == $pid } grep { /^\d+$/ } readdir $proc;
}

# SIGKILL for everything under the keeper, which ends when nothing is left: each death hands its children to it.
sub clear {
  my ($keeper) = @_;
  my $pause = 0.001;
  for (1 .. $clear_rounds_max) {
    return if waitpid($keeper, 1) != 0;
    my @left = children($keeper);
    kill 'KILL', @left if @left;
    select(undef, undef, undef, $pause);
    $pause *= 2 if $pause < 0.05;
  }
  kill 'KILL', $keeper;                   # what is left can't be killed now, or waits for the kernel
}
