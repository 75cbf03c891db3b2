// The allocator: what it costs to offer a whole cluster, and to offer what has changed, beside Mesos's own figures.
import { createMasterWorld, runTicks } from "./allocate/world.mjs";

/** The compiler has seen the code by then, as that of a master that has run for a while. */
const warmUpRounds = 5;
const rounds = 9;

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** The same in worlds of their own, after some to warm up. */
function repeat(measure) {
  const results = [];
  for (let round = 0; round < warmUpRounds + rounds; round++) {
    global.gc?.();
    const result = measure();
    if (round >= warmUpRounds) results.push(result);
  }
  return (name) => median(results.map((result) => result[name]));
}

/** Nothing is offered, then everybody wants all: one pass over all agents, and the same in ticks with their sending. */
function cold(agents, frameworks) {
  const core = createMasterWorld(agents, frameworks);
  core.reviveAll();
  const beganMs = performance.now();
  const coreMs = core.allocate();
  const clockMs = performance.now() - beganMs;
  if (core.offerCount !== agents) throw new Error(`${core.offerCount} offers of ${agents} agents`);
  const world = createMasterWorld(agents, frameworks);
  world.reviveAll();
  const { busyMs, longestMs } = runTicks(world);
  if (world.offerCount !== agents) throw new Error(`${world.offerCount} offers of ${agents} agents`);
  return { coreMs, clockMs, busyMs, longestMs };
}

/** One agent's offer is declined for longer than the run: the next framework is offered it. */
function oneBack(agents, frameworks) {
  const world = createMasterWorld(agents, frameworks);
  world.reviveAll();
  world.allocate();
  const times = [];
  for (let round = 0; round < 100; round++) {
    const offer = world.declineFirst();
    times.push(world.allocate());
    if (world.offerCount !== agents) throw new Error(`${offer} was not offered again`);
  }
  return { ms: median(times), longestMs: Math.max(...times) };
}

/** As Mesos's LargeAndSmallQuota: most roles are promised little, some much; in the end all have what they may have. */
function quota(count) {
  const world = createMasterWorld(count, count, (index) => (index % 6 === 0 ? 3 : 0.5));
  world.reviveAll();
  const coldMs = world.allocate();
  const offers = world.offerCount;
  const idle = [];
  for (let round = 0; round < 100; round++) idle.push(world.allocate());
  const again = [];
  for (let round = 0; round < 20; round++) {
    world.declineFirst();
    again.push(world.allocate());
  }
  return { coldMs, offers, idleMs: median(idle), againMs: median(again) };
}

export async function run(log) {
  log(
    `allocate: median of ${rounds} worlds after ${warmUpRounds} to warm up; agents of 2 cores, 1 GiB, 1,001 ports; CPU time of all threads`,
  );
  const medium = repeat(() => cold(10_000, 1_000));
  const large = repeat(() => cold(20_000, 2_000));
  const back = repeat(() => oneBack(10_000, 1_000));
  const quotas = repeat(() => quota(3_000));
  const peer = (what) => `Mesos ${what} (another machine, in process)`;
  const ms = (label, value, theirs, theirMs) => ({
    label,
    value,
    unit: "ms",
    ...(theirs ? { peer: peer(theirs), ratio: theirMs / value } : {}),
  });
  return [
    ms("10,000 agents x 1,000 frameworks, cold", medium("coreMs"), "1.06 s", 1_060),
    ms("the same, by the clock", medium("clockMs")),
    ms("the same in ticks, messages encoded", medium("busyMs")),
    ms("the same, longest turn by the clock", medium("longestMs")),
    ms("20,000 agents x 2,000 frameworks, cold", large("coreMs"), "3.8 s", 3_800),
    ms("the same, by the clock", large("clockMs")),
    ms("the same in ticks, messages encoded", large("busyMs")),
    ms("the same, longest turn by the clock", large("longestMs")),
    ms("one agent back among 10,000 x 1,000", back("ms"), "up to 1 s", 1_000),
    ms("3,000 agents x 3,000 roles with quota, cold", quotas("coldMs"), "15.4 s", 15_400),
    ms("the same, nothing to do", quotas("idleMs"), "13.7 s", 13_700),
    ms("the same, one offer back", quotas("againMs")),
  ];
}
