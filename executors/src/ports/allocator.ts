import { type Random, randomInt } from "@muster/foundation";

/** Which ports of the host's range belong to whom. Touched by the functions of this file alone. */
export interface Ports {
  readonly first: number;
  readonly last: number;
  /** A released port is not given again for so long, unless there is no other. */
  readonly reuseAfterMs: number;
  /** By port. */
  readonly held: Map<number, Holding>;
  /** Dynamic ports by the time of their release; the order of the map is the order of release. */
  readonly released: Map<number, number>;
}

/** Tcp and udp are separate ports of one number; "" is both. */
type Holding = { tcp: string | undefined; udp: string | undefined };

export function createPorts(first: number, last: number, reuseAfterMs: number): Ports {
  return { first, last, reuseAfterMs, held: new Map(), released: new Map() };
}

/** Takes one fixed port. Gives the present holder if there is one, undefined if the port is now the taker's. */
export function takePort(ports: Ports, port: number, protocol: string, taker: string): string | undefined {
  const holding = ports.held.get(port) ?? { tcp: undefined, udp: undefined };
  const holder = (protocol !== "udp" && holding.tcp) || (protocol !== "tcp" && holding.udp);
  if (holder) return holder;
  if (protocol !== "udp") holding.tcp = taker;
  if (protocol !== "tcp") holding.udp = taker;
  ports.held.set(port, holding);
  ports.released.delete(port);
  return undefined;
}

/**
 * Takes a free port of the range, both protocols, or gives undefined if there is none. `excluded` are ports that the
 * kernel refused. O(range) at worst.
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
    takePort(ports, port, "", taker);
    return port;
  }
  for (const port of ports.released.keys()) {
    if (ports.held.has(port) || excluded.has(port)) continue;
    takePort(ports, port, "", taker);
    return port;
  }
  return undefined;
}

/** Gives back everything that `taker` holds. Doing it twice changes nothing. */
export function releasePorts(ports: Ports, taker: string, numbers: Iterable<number>, nowMs: number): void {
  for (const port of numbers) {
    const holding = ports.held.get(port);
    if (!holding) continue;
    if (holding.tcp === taker) holding.tcp = undefined;
    if (holding.udp === taker) holding.udp = undefined;
    if (holding.tcp !== undefined || holding.udp !== undefined) continue;
    ports.held.delete(port);
    if (port < ports.first || port > ports.last) continue;
    ports.released.delete(port);
    ports.released.set(port, nowMs);
  }
}
