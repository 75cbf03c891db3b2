// Runs seeds of the simulation for a while, one process per core, each with its own seeds; or one seed, and tells what
// went wrong in it.
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createServer } from "vite";

const workloads = { first: "runSeed", small: "runSmall", deployments: "runDeployments" };
const usage = `npm run simulate -- [options]

  --minutes N      how long seeds are run (default 10)
  --first N        the seed to begin with (default 1000)
  --workload NAME  ${Object.keys(workloads).join(", ")} (default first)
  --workers N      processes (default: one a core)
  --seed N         this seed alone, with what went wrong in it
  --help

  npm run simulate -- --minutes 60 --first 5000
  npm run simulate -- --seed 433 --workload small
`;
const values = options();
const runName = workloads[values.workload];
const workerCount = Math.min(Math.max(1, Math.floor(values.workers)), availableParallelism());
const endsAt = Date.now() + values.minutes * 60_000;

if (values.worker !== undefined) await work(values.worker);
else if (values.seed !== undefined) await replay(values.seed);
else campaign();

function options() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "10" },
        first: { type: "string", default: "1000" },
        seed: { type: "string" },
        workload: { type: "string", default: "first" },
        workers: { type: "string", default: String(availableParallelism()) },
        worker: { type: "string" },
        help: { type: "boolean" },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    if (!Object.hasOwn(workloads, values.workload)) throw new Error(`there is no workload "${values.workload}"`);
    for (const name of ["minutes", "first", "seed", "workers", "worker"]) {
      if (values[name] === undefined) continue;
      const number = Number(values[name]);
      if (values[name].trim() === "" || !(number >= 0))
        throw new Error(`--${name} needs a number, not "${values[name]}"`);
      values[name] = number;
    }
    return values;
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}

async function loadSimulation() {
  const conditions = ["muster-source", "node"];
  const server = await createServer({
    root: fileURLToPath(new URL("..", import.meta.url)),
    configFile: false,
    logLevel: "error",
    appType: "custom",
    server: { middlewareMode: true, watch: null, hmr: false, ws: false },
    optimizeDeps: { noDiscovery: true, include: [] },
    resolve: { conditions },
    ssr: { resolve: { conditions } },
  });
  const { compiled } = await server.ssrLoadModule("/test/simulation/compiled.ts");
  const campaign = await compiled("test/simulation/campaign.ts");
  await server.close();
  return { run: campaign[runName], describe: campaign.describe };
}

async function replay(seed) {
  const { run, describe } = await loadSimulation();
  const report = run(seed);
  console.log(describe(report));
  process.exitCode = report.violations.length > 0 ? 1 : 0;
}

async function work(index) {
  const { run, describe } = await loadSimulation();
  for (let seed = values.first + index; Date.now() < endsAt; seed += workerCount) {
    const report = run(seed);
    process.send({ ...report, text: report.violations.length > 0 ? describe(report) : "" });
  }
  process.disconnect();
}

function campaign() {
  const hits = new Map();
  const failed = [];
  let seedCount = 0;
  let virtualMs = 0;
  const beganAt = Date.now();
  const workers = Array.from({ length: workerCount }, (_, index) =>
    fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--worker", String(index)]),
  );
  for (const worker of workers) {
    worker.on("message", (report) => {
      seedCount++;
      virtualMs += report.virtualMs;
      for (const [fault, component, count] of report.hits) {
        const key = `${fault} x ${component}`;
        hits.set(key, (hits.get(key) ?? 0) + count);
      }
      if (report.violations.length === 0) return;
      failed.push(report.seed);
      console.log(report.text);
    });
    worker.on("exit", (code) => {
      if (code !== 0) process.exitCode = 1;
      if (workers.every((each) => each.exitCode !== null)) finish();
    });
  }
  const finish = () => {
    for (const [key, count] of [...hits].sort()) console.log(`${key.padEnd(32)} ${count}`);
    const seconds = (Date.now() - beganAt) / 1_000;
    console.log(
      `${seedCount} seeds, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours in ${seconds.toFixed(0)} s, ${failed.length} failed`,
    );
    if (failed.length > 0) process.exitCode = 1;
  };
}
