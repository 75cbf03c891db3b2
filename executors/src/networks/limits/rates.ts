import { type LimitedGroup, shaperOf } from "./limits.ts";

/** What may wait in front of a bound, in time at its rate; more would only be delay. */
const latencyMs = 25;
/** A bucket must hold what comes between two ticks of the kernel's clock, of which there are at least 100 a second. */
const ticksPerSecond = 100;
/** And more than one large packet of a host that joins small ones: else it is cut up, at ten times the cost. */
const burstBytesMin = 128 * 1024;

/**
 * Lines for `tc`; doing them again is harmless. What goes to a group leaves the host's end of its link, where a bucket
 * holds it to its rate. What comes from it arrives there, and can't be held: it is led through a link of its own, which
 * can. Rates are those of frames on the link.
 */
export function rateLines(owner: string, { id, link, limits }: LimitedGroup): string[] {
  const { downMbit, upMbit } = limits;
  const shaper = shaperOf(owner, id);
  return [
    ...(downMbit === undefined ? [] : [bucket(link, downMbit)]),
    ...(upMbit === undefined
      ? []
      : [
          bucket(shaper, upMbit),
          `qdisc replace dev ${link} ingress`,
          `filter replace dev ${link} parent ffff: protocol all prio 1 handle 800::1 u32 match u32 0 0 ` +
            `action mirred egress redirect dev ${shaper}`,
        ]),
  ];
}

/** Disciplines that the lines make, as "link kind". */
export function disciplinesOf(owner: string, { id, link, limits }: LimitedGroup): string[] {
  const { downMbit, upMbit } = limits;
  return [
    ...(downMbit === undefined ? [] : [`${link} tbf`]),
    ...(upMbit === undefined ? [] : [`${shaperOf(owner, id)} tbf`, `${link} ingress`]),
  ];
}

/** Reads `tc -j qdisc show`. */
export function readDisciplines(json: string): Set<string> {
  const found = JSON.parse(json || "[]") as { kind: string; dev: string }[];
  return new Set(found.map(({ dev, kind }) => `${dev} ${kind}`));
}

function bucket(link: string, mbit: number): string {
  const burst = Math.max(burstBytesMin, Math.ceil((mbit * 1_000_000) / 8 / ticksPerSecond));
  return `qdisc replace dev ${link} root handle 1: tbf rate ${mbit}mbit burst ${burst} latency ${latencyMs}ms`;
}
