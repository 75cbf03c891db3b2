// What many jobs cost the services framework, and how fast one of many instances is updated. Master, framework and agents
// are processes of their own and speak gRPC; the agents are simulated: no process is started for a task.
import { fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause, root } from "./dev-cluster.mjs";
import { sleepers } from "./job.mjs";
import { ask, cpuSeconds, freePort, memoryMiB, reachable } from "./processes.mjs";

const jobCount = Number(process.env.MUSTER_BENCH_JOBS ?? 10_000);
const instanceCount = Number(process.env.MUSTER_BENCH_INSTANCES ?? 1_000);
const agentCount = 1_000;
/** Jobs that are handed in at once. */
const handedInMax = 50;
const idleMs = 20_000;
const callTimeoutMs = 60_000;

export async function run(log) {
  const { grpcTransport, emptyMessage } = await import("@muster/foundation");
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const children = [];
  const daemon = (name, ...args) => {
    const child = spawn(process.execPath, [join(root, "cli", "bin", "muster.js"), "daemon", name, ...args], {
      stdio: ["pipe", "ignore", "inherit"],
      env: { ...process.env, MUSTER_LOG_LEVEL: "error" },
    });
    children.push(child);
    return child;
  };
  const transport = grpcTransport();
  const call = (method, request) =>
    new Promise((done, failed) => {
      transport.call(method, address, request, callTimeoutMs, (result) =>
        result.ok ? done(result.value) : failed(result.error),
      );
    });
  try {
    daemon("master", "--listen", address, "--data-dir", folder);
    await reachable(port);
    const room = Math.ceil((jobCount + 2 * instanceCount) / agentCount) * 2;
    const agents = fork(join(root, "bench", "launch", "agents.mjs"), [address, String(agentCount), String(room)]);
    children.push(agents);
    while ((await ask(agents)).registered < agentCount) await pause(50);
    const services = daemon("services", "--master", address);
    while ((await call("Operator.ListFrameworks", emptyMessage("ListFrameworksRequest"))).frameworks.length === 0)
      await pause(50);
    await pause(1_000);
    const submit = async (options) => call("Jobs.Run", { ...emptyMessage("RunRequest"), job: sleepers(options) });
    const cluster = { agents, services, call, submit, emptyMessage, log };
    return [...(await measureUpdate(cluster)), ...(await measureMany(cluster))];
  } finally {
    transport.close();
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One job of many instances goes to its next version, so many at a time. */
async function measureUpdate({ agents, services, call, submit, emptyMessage, log }) {
  const maxParallel = 50;
  const job = { name: "wide", count: instanceCount, maxParallel };
  const get = async () => (await call("Jobs.Get", { ...emptyMessage("JobsGetRequest"), name: job.name })).job.summary;
  const until = async (version) => {
    for (;;) {
      const { version: present, updated } = await get();
      if (present === version && updated === instanceCount) return;
      await pause(50);
    }
  };
  log(`services: ${instanceCount} instances of one job, then its next version, ${maxParallel} at a time`);
  let beganMs = performance.now();
  await submit(job);
  await until(1);
  const placedMs = performance.now() - beganMs;
  const cpuBefore = cpuSeconds(services.pid);
  beganMs = performance.now();
  await submit({ ...job, seconds: 1_001 });
  await until(2);
  const seconds = (performance.now() - beganMs) / 1_000;
  const cpu = cpuSeconds(services.pid) - cpuBefore;
  while ((await ask(agents)).running > instanceCount) await pause(50);
  return [
    { label: `${instanceCount} instances of one job placed, running and healthy`, value: placedMs / 1_000, unit: "s" },
    { label: `all replaced, ${maxParallel} at a time, none waiting`, value: seconds, unit: "s" },
    {
      label: "the framework's processor for it, a step",
      value: (cpu / (instanceCount / maxParallel)) * 1e3,
      unit: "ms",
    },
  ];
}

/** Many jobs of one instance: how soon they run, what they take of memory, and of the processor while nothing happens. */
async function measureMany({ agents, services, submit, log }) {
  log(`services: ${jobCount} jobs of one instance`);
  const { running: before } = await ask(agents);
  const cpuBefore = cpuSeconds(services.pid);
  const beganMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: handedInMax }, async () => {
      while (next < jobCount) await submit({ name: `job-${next++}`, count: 1, maxParallel: 1 });
    }),
  );
  const handedInSeconds = (performance.now() - beganMs) / 1_000;
  while ((await ask(agents)).running < before + jobCount) await pause(100);
  const seconds = (performance.now() - beganMs) / 1_000;
  const cpu = cpuSeconds(services.pid) - cpuBefore;
  await pause(5_000);
  const idleBefore = cpuSeconds(services.pid);
  await pause(idleMs);
  const idle = cpuSeconds(services.pid) - idleBefore;
  return [
    { label: `${jobCount} jobs handed in, ${handedInMax} at a time`, value: handedInSeconds, unit: "s" },
    { label: "until all of them run", value: seconds, unit: "s" },
    { label: "the framework's processor for it, a job", value: (cpu / jobCount) * 1e3, unit: "ms" },
    { label: "its memory (resident)", value: memoryMiB(services.pid), unit: "MiB", peer: "bar 1,024 MiB" },
    { label: "idle, of one core", value: (idle / (idleMs / 1_000)) * 100, unit: "%", peer: "bar 2 %" },
  ];
}
