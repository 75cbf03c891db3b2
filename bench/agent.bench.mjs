// What an agent with many tasks costs: processor and memory of its process with 500 idle tasks, without checks and with an
// http check every 10 s each; what one check of each kind takes; how long a killed agent with as many tasks is away; and
// what the shim of each task costs.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkTimes } from "./agent/check-times.mjs";
import { restartTime } from "./agent/restart.mjs";
import { shimCosts } from "./agent/shim-costs.mjs";
import { clusterFolder, median, pause, processesOf, root, startCluster } from "./dev-cluster.mjs";

const portOffset = 2_700;
const taskCount = Number(process.env.MUSTER_BENCH_TASKS ?? 500);
const restMs = Number(process.env.MUSTER_BENCH_REST_MS ?? 25_000);
const measureMs = 30_000;
const startTimeout = "5m";

export async function run(log) {
  const figures = [];
  for (const checks of [false, true]) {
    const label = `${taskCount} idle tasks ${checks ? "with an http check every 10 s" : "without checks"}`;
    const { cpu, pssMiB } = await idleAgent(checks, (line) => log(`agent: ${label}: ${line}`));
    figures.push({
      label: `${label}: processor of the agent`,
      value: cpu,
      unit: "%",
      ...(checks ? { peer: "bar 10 %" } : {}),
    });
    figures.push({ label: `${label}: memory (PSS) of the agent`, value: pssMiB, unit: "MiB" });
  }
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-checks-"));
  try {
    log("agent: one check of each kind");
    for (const { kind, times, cpu, peer } of await checkTimes(folder)) {
      figures.push({ label: `one check, ${kind}`, value: median(times), unit: "ms", ...(peer ? { peer } : {}) });
      figures.push({ label: `one check, ${kind}: processor of the agent`, value: cpu, unit: "ms" });
    }
    log(`agent: a restart with ${taskCount} tasks`);
    const restartMs = await restartTime(join(folder, "restarted"), taskCount);
    const label = `restart with ${taskCount} tasks, to all statuses`;
    figures.push({ label, value: restartMs, unit: "ms", peer: "bar 2,000 ms" });
    log("agent: shims");
    const { privateKiB, times } = await shimCosts(folder);
    const bars = { memory: "bar 1,024 KiB", time: "bar 10 ms" };
    figures.push({ label: "private memory of a shim", value: median(privateKiB), unit: "KiB", peer: bars.memory });
    figures.push({ label: "`true`, to the record of its end", value: median(times), unit: "ms", peer: bars.time });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return figures;
}

async function idleAgent(checks, log) {
  const { folder, remove } = clusterFolder();
  try {
    const cluster = await startCluster(folder, portOffset);
    try {
      const file = join(folder, "idle.hcl");
      writeFileSync(file, jobText(checks));
      log("starting");
      await muster(["--address", cluster.ready.master.address, "job", "run", "--timeout", startTimeout, file]);
      const [agent] = processesOf(cluster.data).filter(isAgent);
      log(`resting ${restMs / 1_000} s, measuring ${measureMs / 1_000} s`);
      await pause(restMs);
      const before = nanoseconds(agent);
      const beganMs = performance.now();
      await pause(measureMs);
      const used = nanoseconds(agent) - before;
      return { cpu: used / 1e4 / (performance.now() - beganMs), pssMiB: pssKiB(agent) / 1_024 };
    } finally {
      await cluster.stop();
    }
  } finally {
    remove();
  }
}

/** Tasks that cost as little as a task can: perl without modules, which answers every connection alike. */
function jobText(checks) {
  const program = [
    "socket(my $server, 2, 1, 0); setsockopt($server, 1, 2, pack('i', 1));",
    "bind($server, pack('S n a4 x8', 2, $ENV{MUSTER_PORT_http}, pack('C4', 127, 0, 0, 1))) or die; listen($server, 16);",
    "while (accept(my $client, $server)) { sysread($client, my $request, 4096);",
    "syswrite($client, qq(HTTP/1.1 200 OK\\\\r\\\\nContent-Length: 0\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n)) }",
  ].join(" ");
  const check = `check {
        type     = "http"
        path     = "/"
        interval = "10s"
        timeout  = "2s"
      }`;
  return `job "idle" {
  group "idle" {
    count = ${taskCount}
    network {
      port "http" {}
    }
    service {
      port = "http"
      ${checks ? check : ""}
    }
    task "server" {
      driver = "process"
      config {
        command = "perl"
        args    = ["-e", "${program}"]
      }
      resources {
        cpu    = 1
        memory = 1
      }
    }
  }
}
`;
}

function muster(words) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [join(root, "cli", "bin", "muster.js"), ...words], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (bytes) => {
      said = (said + bytes).slice(-4_000);
    });
    child.once("exit", (code) => (code === 0 ? done() : failed(new Error(`muster ${words.join(" ")}: ${said}`))));
  });
}

function isAgent(pid) {
  return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("\0daemon\0agent\0");
}

/** Time on a processor of all threads, in nanoseconds. */
function nanoseconds(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]))
    .reduce((sum, each) => sum + each, 0);
}

function pssKiB(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]);
}
