// How long it takes until all agents of a large cluster, with all their tasks, are registered with a new leader that
// knows nothing but the registry. Agents are simulated in processes of their own, whose streams share connections.
import { pause } from "./dev-cluster.mjs";
import { withProcesses } from "./master-process.mjs";

const agentCount = Number(process.env.MUSTER_BENCH_AGENTS ?? 40_000);
const tasksPerAgent = 10;
const timeoutMs = 300_000;

export function run(log) {
  return withProcesses(async ({ address, startMaster, start }) => {
    log(`failover: ${agentCount} agents register for the first time`);
    const first = await startMaster();
    const simulator = start("failover/agents.mjs", address, 0, agentCount, tasksPerAgent);
    await simulator.ask("connect");
    await allRegistered(simulator);
    const before = await simulator.ask("run-tasks");
    await first.kill();
    log(`failover: the master was killed; another begins, and hears of ${agentCount * tasksPerAgent} tasks`);
    const beganMs = performance.now();
    const master = await startMaster();
    const servesMs = performance.now() - beganMs;
    const after = await allRegistered(simulator);
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
      { label: "CPU of the agents' side", value: after.cpuSeconds - before.cpuSeconds, unit: "s" },
      { label: "registrations that the master was not ready for", value: after.refused, unit: "" },
      { label: "master memory, most", value: master.memoryMiB(), unit: "MiB" },
    ];
  });
}

/** All agents have told what they have, and heard that they are registered. */
async function allRegistered(simulator) {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const counts = await simulator.ask("count");
    if (counts.registered === agentCount) return counts;
    if (performance.now() > untilMs) throw new Error(`${counts.registered} of ${agentCount} agents are registered`);
    await pause(50);
  }
}
