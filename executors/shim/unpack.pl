# Unpacks one layer of an image: `perl unpack.pl FOLDER ARCH ENTRIES BYTES < TAR`. It locks itself into FOLDER first, so
# that nothing it writes can be outside, and refuses what would have to be. No module is loaded: after chroot there is
# none. Says on stdout "bytes N" and "opaque NAME" of what overlayfs is to know of the root and of /etc.
my ($folder, $arch, $entries_max, $bytes_max) = @ARGV;
my %nr_by_arch = (
  x64   => { lsetxattr => 189, mknodat => 259, fchownat => 260 },
  arm64 => { lsetxattr => 6,   mknodat => 33,  fchownat => 54 },
);
my $nr = $nr_by_arch{$arch} or die "architecture $arch\n";
my ($here, $no_follow) = (-100, 0x100);    # AT_FDCWD, AT_SYMLINK_NOFOLLOW
my ($path_max, $header_max, $value_max) = (4096, 1 << 20, 65536);
chroot($folder) && chdir('/') or die "$folder: $!\n";
umask 0;
binmode STDIN;

sub refuse { print STDERR "refused: $_[0]\n"; exit 3 }
sub fail { print STDERR "$_[0]: $!\n"; exit 1 }

# What is read stands in one buffer, so that a small file costs no system call.
my ($buffer, $at) = ('', 0);
sub fill {
  my ($wanted) = @_;
  substr($buffer, 0, $at) = '' if $at;
  $at = 0;
  while (length $buffer < $wanted) {
    my $got = sysread(STDIN, $buffer, 262144, length $buffer);
    fail('tar') unless defined $got;
    return 0 if $got == 0;
  }
  return 1;
}
sub take {
  my ($count) = @_;
  refuse('the tar ends too early') if length($buffer) - $at < $count && !fill($count);
  my $part = substr($buffer, $at, $count);
  $at += $count;
  return $part;
}
sub padding { my $rest = $_[0] % 512; return $rest ? 512 - $rest : 0 }

sub number {
  my ($field) = @_;
  if (ord($field) == 0x80) {                # more than octal digits can say: the bytes are the number
    my $value = 0;
    $value = $value * 256 + ord for split //, substr($field, -7);
    return $value;
  }
  $field =~ s/^ *//;
  $field =~ s/[\0 ].*//s;
  refuse('a number is none') unless $field =~ /^[0-7]*$/;
  return oct($field || 0);
}

sub pax {
  my ($text, $into) = @_;
  my $place = 0;
  while ($place < length $text) {
    substr($text, $place) =~ /^(\d{1,8}) / or refuse('a pax header is damaged');
    my $size = $1;
    my $start = length($1) + 1;
    refuse('a pax header is damaged') if $size <= $start || $place + $size > length $text;
    my $record = substr($text, $place + $start, $size - $start - 1);
    my ($name, $value) = split /=/, $record, 2;
    $into->{$name} = $value;
    $place += $size;
  }
}

# Folders that were made here, or looked at: names below them lead through no link.
my (%folders, %opaque, @late);
$folders{''} = 1;

sub set_opaque {
  my ($path) = @_;
  return if $opaque{$path}++;
  my ($place, $name, $value) = ("/$path", 'trusted.overlay.opaque', 'y');
  syscall($nr->{lsetxattr}, $place, $name, $value, 1, 0) == 0 or fail("/$path: opaque");
}

sub is_whiteout { my @stat = lstat $_[0]; return @stat && ($stat[2] & 0170000) == 0020000 && $stat[6] == 0 }

sub make_folder {
  my ($path) = @_;
  my $hid = is_whiteout("/$path");
  unlink "/$path" if $hid || (-e _ && !-d _) || -l _;
  if (!mkdir("/$path", 0755)) {
    lstat "/$path";
    -d _ or fail("/$path");
  }
  $folders{$path} = 1;
  set_opaque($path) if $hid;
}

sub parents {
  my ($path) = @_;
  return unless $path =~ s/\/[^\/]*$//;
  return if $folders{$path};
  parents($path);
  my @stat = lstat "/$path";
  if (!@stat || is_whiteout("/$path")) { make_folder($path) }
  elsif (($stat[2] & 0170000) == 0040000) { $folders{$path} = 1 }
  else { refuse("$_[0] leads through $path, which is no folder of this layer") }
}

# Names are relative, and stay below the folder that they begin in.
sub clean {
  my ($name, $what) = @_;
  refuse("$what is longer than $path_max bytes") if length $name > $path_max;
  refuse("$what holds a zero byte") if $name =~ /\0/;
  refuse("$what is absolute: $name") if $name =~ /^\//;
  my @parts = grep { $_ ne '' && $_ ne '.' } split /\//, $name;
  refuse("$what leads outside: $name") if grep { $_ eq '..' } @parts;
  return join '/', @parts;
}

sub set_owner {
  my ($path, $uid, $gid) = @_;
  my $place = "/$path";
  syscall($nr->{fchownat}, $here, $place, $uid + 0, $gid + 0, $no_follow) == 0 or fail("/$path: owner");
}

# Of the kernel's own names for overlayfs none comes from an image: they could lead to files of other layers.
sub set_attributes {
  my ($path, $pax) = @_;
  for my $key (grep { /^SCHILY\.xattr\./ } keys %$pax) {
    my ($name, $value, $place) = (substr($key, 13), $pax->{$key}, "/$path");
    next unless $name =~ /^user\./ || $name eq 'security.capability';
    refuse("an attribute of $path is longer than $value_max bytes") if length $value > $value_max;
    syscall($nr->{lsetxattr}, $place, $name, $value, length $value, 0) == 0 or fail("/$path: attribute $name");
  }
}

sub make_room {
  my ($path) = @_;
  my @stat = lstat "/$path" or return;
  refuse("$path is a folder and something else") if ($stat[2] & 0170000) == 0040000;
  unlink "/$path" or fail("/$path");
}

sub write_file {
  my ($path, $size) = @_;
  my $file;
  # 0301 is O_WRONLY | O_CREAT | O_EXCL: a link is never followed.
  if (!sysopen($file, "/$path", 0301, 0600)) { make_room($path); sysopen($file, "/$path", 0301, 0600) or fail("/$path") }
  while ($size > 0) {
    refuse('the tar ends too early') if $at == length $buffer && !fill(1);
    my $part = length($buffer) - $at;
    $part = $size if $part > $size;
    my $count = syswrite($file, $buffer, $part, $at);
    fail("/$path") unless $count;
    $at += $count;
    $size -= $count;
  }
  close $file or fail("/$path");
}

# A name that is hidden from the layers below; what this layer itself has under that name stays.
sub whiteout {
  my ($path) = @_;
  my @stat = lstat "/$path";
  if (@stat) { set_opaque($path) if ($stat[2] & 0170000) == 0040000; return }
  my $place = "/$path";
  syscall($nr->{mknodat}, $here, $place, 0020000, 0) == 0 or fail("/$path: whiteout");
}

my ($entries, $bytes, $zeros) = (0, 0, 0);
my (%global, %next, $long_name, $long_link);
while (length($buffer) - $at >= 512 || fill(512)) {
  my $header = take(512);
  if ($header !~ /[^\0]/) { last if ++$zeros == 2; next }
  $zeros = 0;
  my ($name, $mode, $uid, $gid, $size, $mtime, $sum, $type, $link, $magic, $prefix) =
    unpack('Z100 a8 a8 a8 a12 a12 a8 a1 Z100 a6 x2 x32 x32 x16 Z155', $header);
  my $plain = $header;
  substr($plain, 148, 8) = ' ' x 8;
  refuse('the tar is damaged: a checksum is wrong') if unpack('%32C*', $plain) != number($sum);
  $size = number($size);
  refuse('the layer has too many entries') if ++$entries > $entries_max;
  if ($type =~ /[xgLK]/) {
    refuse('a header is too long') if $size > $header_max;
    my $text = take($size);
    take(padding($size));
    if ($type eq 'x') { pax($text, \%next) }
    elsif ($type eq 'g') { pax($text, \%global) }
    else { $text =~ s/\0.*//s; if ($type eq 'L') { $long_name = $text } else { $long_link = $text } }
    next;
  }
  my %pax = (%global, %next);
  $name = "$prefix/$name" if $magic =~ /^ustar\0/ && $prefix ne '';
  $name = $pax{path} // $long_name // $name;
  $link = $pax{linkpath} // $long_link // $link;
  $size = $pax{size} + 0 if defined $pax{size} && $pax{size} =~ /^\d{1,15}$/;
  $uid = defined $pax{uid} && $pax{uid} =~ /^\d{1,10}$/ ? $pax{uid} + 0 : number($uid);
  $gid = defined $pax{gid} && $pax{gid} =~ /^\d{1,10}$/ ? $pax{gid} + 0 : number($gid);
  $mtime = defined $pax{mtime} && $pax{mtime} =~ /^(-?\d{1,15})/ ? $1 + 0 : number($mtime);
  $mode = number($mode) & 07777;
  refuse("$name is a sparse file") if $type eq 'S' || grep { /^GNU\.sparse/ } keys %pax;
  %next = ();
  ($long_name, $long_link) = (undef, undef);
  $type = '5' if $type =~ /[0\0]/ && $name =~ /\/\z/;
  my $path = clean($name, 'a name');
  my ($base) = $path =~ /([^\/]*)\z/;
  $size = 0 unless $type =~ /[07\0]/;
  $bytes += 4096 + $size;
  refuse("the layer is larger than $bytes_max bytes") if $bytes > $bytes_max;

  if ($base =~ /^\.wh\./) {
    my ($parent) = $path =~ /^(.*)\/[^\/]*\z/;
    $parent //= '';
    take($size + padding($size)) if $size;
    if ($base eq '.wh..wh..opq') { parents($path); set_opaque($parent) }
    elsif ($base !~ /^\.wh\.\.wh\./) {
      my $hidden = substr($base, 4);
      refuse("$name hides nothing that can be hidden") if $hidden =~ /^\.{0,2}\z/;
      parents($path);
      whiteout($parent eq '' ? $hidden : "$parent/$hidden");
    }
    next;
  }
  if ($type eq '5') {
    parents($path);
    make_folder($path) unless $folders{$path};
    set_owner($path, $uid, $gid);
    chmod $mode, "/$path" or fail("/$path");
    set_attributes($path, \%pax);
    push @late, [$path, $mtime];
    next;
  }
  refuse("$name would be in place of the root") if $path eq '';
  refuse("$name is a folder and something else") if $folders{$path};
  parents($path);
  if ($type =~ /[07\0]/) {
    write_file($path, $size);
    take(padding($size));
  } elsif ($type eq '1') {
    my $target = clean($link, "the target of $name");
    parents($target);
    my @stat = lstat "/$target" or refuse("$name is a hard link to $target, which this layer does not have");
    refuse("$name is a hard link to a folder") if ($stat[2] & 0170000) == 0040000;
    next if $target eq $path;
    make_room($path);
    link("/$target", "/$path") or fail("/$path");
    next;
  } elsif ($type eq '2') {
    refuse("the target of $name is longer than $path_max bytes") if length $link > $path_max;
    make_room($path);
    symlink($link, "/$path") or fail("/$path");
    set_owner($path, $uid, $gid);
    next;
  } elsif ($type eq '6') {
    make_room($path);
    my $place = "/$path";
    syscall($nr->{mknodat}, $here, $place, 0010600, 0) == 0 or fail("/$path");
  } elsif ($type =~ /[34]/) { refuse("$name is a device") }
  else { refuse("$name is of a kind that is not known: $type") }
  set_owner($path, $uid, $gid);
  chmod $mode, "/$path" or fail("/$path");
  set_attributes($path, \%pax);
  utime $mtime, $mtime, "/$path";
}
# What follows the end belongs to the digest, not to the files.
1 while sysread(STDIN, $buffer, 262144);
utime $_->[1], $_->[1], "/$_->[0]" for reverse @late;
print "bytes $bytes\n";
print "opaque /$_\n" for grep { $opaque{$_} } '', 'etc';
