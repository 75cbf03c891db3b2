# Holds the ports of the host that lead to groups: `perl hold-ports.pl SOCKET`. A port that is mapped is not listened on, so
# that without this any process could bind it and would never hear anything. It outlives the agent, so that no port is free
# while one agent follows another; it ends when it holds nothing and nobody is connected. No module is loaded, as in shim.pl.
#
# Commands, one a line, to the Unix socket of that path, which only its user may open; each gets one line back:
# A port is held on every address, or on one: tcp:20000:0a000007, the address in hexadecimal.
#   hold KEY tcp:20000 udp:20000 ...   "ok", or "fail tcp:20000 REASON" and nothing is held for the key
#   free KEY                           "ok"
#   list                               "ok KEY KEY ..."
my ($path) = @ARGV;
my $line_bytes_max = 65536;
$0 = "muster-ports $path";
$SIG{PIPE} = $SIG{HUP} = $SIG{INT} = 'IGNORE';

# Whoever starts this has found nobody at the path: a file there is what a killed one left. 1: AF_UNIX, SOCK_STREAM.
unlink $path;
umask 0177;
socket(my $server, 1, 1, 0) or die "socket: $!\n";
bind($server, pack('S Z108', 1, $path)) or die "$path: $!\n";
listen($server, 16) or die "listen: $!\n";
syswrite(STDOUT, "ready\n");
open(STDOUT, '>', '/dev/null');

my (%held, %clients);

# Binds though the end of a connection of a former holder is still remembered, for a minute: that is in nobody's way.
# SO_REUSEADDR says so, and would let others have the port as well if it stayed.
sub bind_to {
  my ($socket, $place) = @_;
  setsockopt($socket, 1, 2, pack('i', 1));
  my $is_bound = bind($socket, $place);
  my $errno = $!;
  setsockopt($socket, 1, 2, pack('i', 0));
  $! = $errno;
  return $is_bound;
}

# One socket that keeps others from the port on every address, of IPv6 too where there is IPv6. It is bound, no more.
sub hold_one {
  my ($protocol, $port, $hex) = @_;
  my $type = $protocol eq 'tcp' ? 1 : 2;
  my $held;
  if (defined $hex) {
    my $place = length $hex == 8 ? pack('S n H8 x8', 2, $port, $hex) : pack('S n N H32 N', 10, $port, 0, $hex, 0);
    socket($held, length $hex == 8 ? 2 : 10, $type, 0) or return undef;
    return bind_to($held, $place) ? $held : undef;
  }
  if (socket($held, 10, $type, 0)) {
    setsockopt($held, 41, 26, pack('i', 0));             # IPV6_V6ONLY off
    return $held if bind_to($held, pack('S n N a16 N', 10, $port, 0, "\0" x 16, 0));
    return undef unless $! == 99 || $! == 97;            # no IPv6 address at all
  }
  socket($held, 2, $type, 0) or return undef;
  return bind_to($held, pack('S n a4 x8', 2, $port, "\0" x 4)) ? $held : undef;
}

sub answer {
  my ($verb, $key, @ports) = split / /, $_[0];
  if ($verb eq 'hold' && defined $key) {
    my %mine = %{ $held{$key} // {} };
    for my $each (@ports) {
      next if $mine{$each};
      my ($protocol, $port, $hex) = $each =~ /^(tcp|udp):(\d+)(?::([0-9a-f]{8}|[0-9a-f]{32}))?$/ or return "fail $each not a port";
      my $socket = hold_one($protocol, $port, $hex);
      return "fail $each $!" unless $socket;
      $mine{$each} = $socket;
    }
    $held{$key} = \%mine;
    return 'ok';
  }
  if ($verb eq 'free' && defined $key) { delete $held{$key}; return 'ok' }
  return join(' ', 'ok', keys %held) if $verb eq 'list';
  return "fail $verb unknown";
}

while (1) {
  my $wanted = '';
  vec($wanted, fileno($_), 1) = 1 for $server, map { $_->{socket} } values %clients;
  select(my $ready = $wanted, undef, undef, undef) > 0 or next;
  if (vec($ready, fileno($server), 1) && accept(my $socket, $server)) {
    $clients{ fileno($socket) } = { socket => $socket, text => '' };
  }
  for my $number (keys %clients) {
    next unless vec($ready, $number, 1);
    my $client = $clients{$number};
    my $got = sysread($client->{socket}, $client->{text}, 65536, length $client->{text});
    next if !defined $got && $! == 4;
    while ($client->{text} =~ s/^([^\n]*)\n//) { syswrite($client->{socket}, answer($1) . "\n") }
    delete $clients{$number} if !$got || length $client->{text} > $line_bytes_max;
  }
  next if %held || %clients;
  unlink $path;
  exit 0;
}
