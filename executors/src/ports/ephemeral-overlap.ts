/**
 * What to say when the agent's dynamic range overlaps the range from which the kernel takes ports for outgoing
 * connections, and the overlap is not reserved; undefined if all is well. The last two are the texts of
 * /proc/sys/net/ipv4/ip_local_port_range and ip_local_reserved_ports.
 */
export function ephemeralOverlap(first: number, last: number, range: string, reserved: string): string | undefined {
  const [low = 0, high = 0] = range.trim().split(/\s+/).map(Number);
  if (high === 0 || last < low || first > high) return undefined;
  const from = Math.max(first, low);
  const to = Math.min(last, high);
  const kept = reserved.trim().split(",").filter(Boolean);
  const isReserved = kept.some((part) => {
    const [begin, end = begin] = part.split("-").map(Number);
    return (begin ?? 0) <= from && (end ?? 0) >= to;
  });
  if (isReserved) return undefined;
  return (
    `ports ${from} to ${to} of the agent's range are also taken by outgoing connections (${low} to ${high}): ` +
    `sysctl -w net.ipv4.ip_local_reserved_ports=${[...kept, `${from}-${to}`].join(",")}`
  );
}
