import { backoff, command, createScheduler, defineFramework, type Runtime, runFramework } from "@muster/framework-sdk";
import { type Life, masterAddress, type SimCluster } from "@muster/testing";

/** What each task of an eager framework needs. */
export const eagerNeed = { cpuMillis: 300, memoryMiB: 64 } as const;
/** Two of them want more than the small cluster has. */
const eagerTaskCount = 10;

/** Wants more than there is, until a moment; its tasks are short, so that there is always something to be shared out. */
export function eagerFramework(runtime: Runtime, name: string, untilMs: number): void {
  const template = {
    name,
    resources: eagerNeed,
    run: command("work", ["for", "7000"]),
    // However many of its tasks were lost: who waits before the next try wants less than its equals meanwhile.
    restart: backoff({ firstMs: 500, maxMs: 1_000 }),
  };
  const wanted = (): number => (runtime.clock.monotonicMs() < untilMs ? eagerTaskCount : 0);
  const definition = defineFramework({
    name,
    roles: [name],
    reconcile: ({ tasks, place }) => place(Math.max(0, wanted() - tasks.live().length), template),
  });
  runFramework(definition, { address: masterAddress, runtime });
}

/** Takes every offer and does nothing with it, until the master takes it back. */
export function idleFramework(runtime: Runtime, name: string): void {
  createScheduler(
    runtime,
    { address: masterAddress, framework: { name, roles: [name] } },
    { offers: () => {}, update: () => {} },
  ).start();
}

/** An eager one that dies again and again, wherever it is just then. */
export function crashingFramework(cluster: SimCluster, life: Life, name: string, untilMs: number): void {
  const runtime = cluster.runtimeOf(life);
  eagerFramework(runtime, name, untilMs);
  const delayMs = 500 + runtime.random.stream("death").next() * 6_000;
  if (cluster.world.nowMs + delayMs > untilMs) return;
  cluster.world.after(undefined, delayMs, "dies", () => {
    const program = cluster.programs.find((each) => each.name === name);
    if (program?.life === life) program.crash();
  });
}
