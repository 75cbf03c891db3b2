// What a cluster without tasks costs, and how soon it is there: processor and memory of all its processes after a rest,
// the time from the command to readiness, and from `npm start` to healthy tasks with their SRV records printed.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { clusterFolder, endAll, pause, processesOf, root, startCluster } from "./dev-cluster.mjs";

const portOffset = 2_300;
const restMs = Number(process.env.MUSTER_BENCH_REST_MS ?? 30_000);
const measureMs = 20_000;
const npmTimeoutMs = 120_000;

export async function run(log) {
  const { folder, remove } = clusterFolder();
  try {
    const first = await startCluster(folder, portOffset);
    await first.stop();
    const { data, startMs, stop } = await startCluster(folder, portOffset);
    try {
      log(`idle: ready; resting ${restMs / 1_000} s, measuring ${measureMs / 1_000} s`);
      await pause(restMs);
      const before = nanoseconds(data);
      const beganMs = performance.now();
      await pause(measureMs);
      const seconds = (performance.now() - beganMs) / 1_000;
      const after = nanoseconds(data);
      const used = [...after].map(([pid, ns]) => ns - (before.get(pid) ?? 0)).reduce((sum, ns) => sum + ns, 0);
      const pss = processesOf(data).map(pssKiB);
      for (const pid of processesOf(data))
        log(
          `idle: ${describe(pid)}: ${((after.get(pid) - before.get(pid)) / 1e7 / seconds).toFixed(2)} %, ${Math.round(pssKiB(pid) / 1_024)} MB`,
        );
      await stop();
      return [
        { label: "processor, of one core", value: used / 1e7 / seconds, unit: "%", peer: "bar 2 %" },
        {
          label: "memory (PSS) of all",
          value: pss.reduce((sum, kib) => sum + kib, 0) / 1_024,
          unit: "MB",
          peer: "bar 400 MB",
        },
        { label: "processes", value: pss.length, unit: "" },
        { label: "second start of muster dev", value: startMs / 1_000, unit: "s" },
        {
          label: "second npm start, hello healthy, SRV printed",
          value: await secondNpmStart(log),
          unit: "s",
          peer: "bar 8 s",
        },
      ];
    } finally {
      await stop();
    }
  } finally {
    remove();
  }
}

/** Seconds from `npm start` to the printed SRV records, the second time in one folder. */
async function secondNpmStart(log) {
  const { folder, remove } = clusterFolder();
  try {
    log("idle: npm start, twice");
    await npmStart(folder);
    return await npmStart(folder);
  } finally {
    remove();
  }
}

async function npmStart(folder) {
  const data = join(folder, "data");
  const beganMs = performance.now();
  const args = ["start", "--", "--data-dir", data, "--port-offset", String(portOffset)];
  const child = spawn("npm", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let words = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes) => {
      words += bytes;
    });
  try {
    while (!/\sSRV\s/.test(words)) {
      if (child.exitCode !== null || performance.now() - beganMs > npmTimeoutMs) throw new Error(`npm start: ${words}`);
      await pause(10);
    }
    return (performance.now() - beganMs) / 1_000;
  } finally {
    await endAll(child, data);
  }
}

/** Time on a processor by process, of all threads, in nanoseconds. */
function nanoseconds(data) {
  const times = new Map();
  for (const pid of processesOf(data)) {
    let sum = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    times.set(pid, sum);
  }
  return times;
}

function pssKiB(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]);
}

function describe(pid) {
  const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const at = argv.indexOf("daemon");
  return at < 0 ? "dev" : argv[at + 1];
}
