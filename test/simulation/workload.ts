import { type Random, randomInt, resources } from "@muster/foundation";
import type { WorkItem } from "./batch-framework.ts";

/** How many pieces of work the batch framework has. */
export const itemCount = 160;

/** Work that comes bit by bit: most of it short, some in groups of two, some with ports, some that fails at times. */
export function batchWork(
  random: Random,
  untilMs: number,
  { count, runsForMsMax }: { readonly count: number; readonly runsForMsMax: number } = {
    count: itemCount,
    runsForMsMax: 20_000,
  },
): WorkItem[] {
  return Array.from({ length: count }, (_, number) => {
    const runsForMs = 500 + Math.floor(random.next() ** 2 * runsForMsMax);
    const words = ["for", String(runsForMs)];
    const taskCount = random.next() < 0.15 ? 2 : 1;
    const hasPorts = random.next() < 0.4;
    return {
      number,
      releasedAtMs: Math.floor((number * untilMs) / count),
      // Half of those with ports never bind them: only the agent's own books keep others away from these.
      tasks: Array.from({ length: taskCount }, (_, index) =>
        hasPorts && index === 0 && number % 2 === 0 ? [...words, "listen"] : words,
      ),
      portLabels: hasPorts ? ["http", "admin"].slice(0, 1 + randomInt(random, 2)) : [],
      resources: resources({ cpuMillis: 50 + 50 * randomInt(random, 4), memoryMiB: 64 }),
    };
  });
}
