import { type Random, randomInt } from "@muster/foundation";

/** Which ports of the host's range belong to whom. Touched by the functions of this file alone. */
export interface Ports {
  readonly first: number;
  readonly last: number;
  /** A released port is not given again for so long, unless there is no other. */
  readonly reuseAfterMs: number;
  /** By port; no list is empty. */
  readonly held: Map<number, Holding[]>;
  /** Dynamic ports by the time of their release; the order of the map is the order of release. */
  readonly released: Map<number, number>;
}

/** Tcp and udp are separate ports of one number, "" is both; so are the addresses of the host, of which "" is every one. */
interface Holding {
  readonly taker: string;
  readonly protocol: string;
  readonly ip: string;
}

export function createPorts(first: number, last: number, reuseAfterMs: number): Ports {
  return { first, last, reuseAfterMs, held: new Map(), released: new Map() };
}

/**
 * Takes one fixed port, on one address of the host or on every one (""). Gives the present holder if there is one,
 * undefined if the port is now the taker's.
 */
export function takePort(ports: Ports, port: number, protocol: string, taker: string, ip = ""): string | undefined {
  const holdings = ports.held.get(port) ?? [];
  const holder = holdings.find((each) => isSame(each.protocol, protocol) && isSame(each.ip, ip));
  if (holder) return holder.taker;
  ports.held.set(port, [...holdings, { taker, protocol, ip }]);
  ports.released.delete(port);
  return undefined;
}

/** Whether two protocols, or two addresses, have one in common. */
function isSame(one: string, other: string): boolean {
  return one === "" || other === "" || one === other;
}

/**
 * Takes a free port of the range, both protocols, or gives undefined if there is none. `excluded` are ports that the
 * kernel refused. O(range) at worst.
 *
 * A number that is held on one address is not given on another: there are enough, and people would take them for one port.
 *
 * Begins at a random port, so that a crash without memory does not hand out the same ones again; those released lately
 * come last, the one that has been free for longest first.
 */
export function takeDynamicPort(
  ports: Ports,
  taker: string,
  random: Random,
  nowMs: number,
  excluded: ReadonlySet<number>,
  ip = "",
): number | undefined {
  const size = ports.last - ports.first + 1;
  if (size <= 0) return undefined;
  for (const [port, at] of ports.released) {
    if (nowMs - at < ports.reuseAfterMs) break;
    ports.released.delete(port);
  }
  const start = randomInt(random, size);
  for (let i = 0; i < size; i++) {
    const port = ports.first + ((start + i) % size);
    if (ports.held.has(port) || ports.released.has(port) || excluded.has(port)) continue;
    takePort(ports, port, "", taker, ip);
    return port;
  }
  for (const port of ports.released.keys()) {
    if (ports.held.has(port) || excluded.has(port)) continue;
    takePort(ports, port, "", taker, ip);
    return port;
  }
  return undefined;
}

/** Gives back everything that `taker` holds. Doing it twice changes nothing. */
export function releasePorts(ports: Ports, taker: string, numbers: Iterable<number>, nowMs: number): void {
  for (const port of numbers) {
    const holdings = ports.held.get(port);
    if (!holdings) continue;
    const left = holdings.filter((each) => each.taker !== taker);
    if (left.length > 0) {
      ports.held.set(port, left);
      continue;
    }
    ports.held.delete(port);
    if (port < ports.first || port > ports.last) continue;
    ports.released.delete(port);
    ports.released.set(port, nowMs);
  }
}
