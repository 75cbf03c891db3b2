// How long it takes until all agents of a large cluster, with all their tasks, are registered with a new leader that
// knows nothing but the registry. Agents are simulated in processes of their own, whose streams share connections.
import { pause } from "./dev-cluster.mjs";
import { withProcesses } from "./master-process.mjs";

const agentCount = Number(process.env.MUSTER_BENCH_AGENTS ?? 40_000);
const tasksPerAgent = 10;
const simulatorCount = 2;
const timeoutMs = 300_000;

export function run(log) {
  return withProcesses(async ({ address, startMaster, start }) => {
    log(`failover: ${agentCount} agents register for the first time`);
    const first = await startMaster();
    const share = Math.ceil(agentCount / simulatorCount);
    const simulators = Array.from({ length: simulatorCount }, (_, index) =>
      start("failover/agents.mjs", address, index * share, Math.min(share, agentCount - index * share), tasksPerAgent),
    );
    await allRegistered(simulators);
    await first.kill();
    log(`failover: the master was killed; another begins, and hears of ${agentCount * tasksPerAgent} tasks`);
    const beganMs = performance.now();
    const master = await startMaster();
    const servesMs = performance.now() - beganMs;
    await allRegistered(simulators);
    const allMs = performance.now() - beganMs;
    const cpuSeconds = master.cpuSeconds();
    const peer = "Mesos 19 s (another machine, in process, no network)";
    return [
      {
        label: "from the new master's start until all are registered",
        value: allMs / 1_000,
        unit: "s",
        peer,
        ratio: 19_000 / allMs,
      },
      { label: "of that, until its port is open", value: servesMs / 1_000, unit: "s" },
      { label: "master CPU", value: cpuSeconds, unit: "s" },
      {
        label: "master CPU a task, agents and registry included",
        value: (cpuSeconds / agentCount / tasksPerAgent) * 1e6,
        unit: "µs",
      },
      { label: "master memory, most", value: master.memoryMiB(), unit: "MiB" },
    ];
  });
}

/** All agents connect, tell what they have, and hear that they are registered. */
async function allRegistered(simulators) {
  for (const { ask } of simulators) await ask("connect");
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    let registered = 0;
    for (const { ask } of simulators) registered += (await ask("count")).registered;
    if (registered === agentCount) return;
    if (performance.now() > untilMs) throw new Error(`${registered} of ${agentCount} agents are registered`);
    await pause(50);
  }
}
