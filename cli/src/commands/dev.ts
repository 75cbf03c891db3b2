import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError, toCliError, usageError } from "../cli-error.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { type Client, clientAt } from "../connect/client.ts";
import { deadline } from "../connect/interrupt.ts";
import { awaitCluster } from "../dev/await-cluster.ts";
import { followEvents } from "../dev/events.ts";
import { askExample, exampleName, runExample } from "../dev/example.ts";
import { describeLacks, ephemeralPortFirst } from "../dev/lacks.ts";
import { type Layout, layOut } from "../dev/layout.ts";
import { lockFolder } from "../dev/lock.ts";
import { watchNpmParent } from "../dev/npm-parent.ts";
import { dnsDomain, frameworkNames, planChildren } from "../dev/plan.ts";
import { checkPorts } from "../dev/preflight.ts";
import { type ReadyFile, removeReadyFile, writeReadyFile } from "../dev/ready-file.ts";
import { Supervisor } from "../dev/supervisor.ts";
import { exitCode } from "../exit-codes.ts";
import { recordsTable } from "../output/dns-records.ts";
import { listJobs } from "./job/list.ts";
import { instancesTable, obstacleLines } from "./job/show.ts";

const program = fileURLToPath(new URL("../../bin/muster.js", import.meta.url));

export const run: CommandModule["run"] = async (invocation) => {
  const { out } = invocation;
  const settings = readSettings(invocation);
  const { folder, layout, readyFile } = settings;
  mkdirSync(join(folder, "logs"), { recursive: true, mode: 0o711 });
  const lock = await lockFolder(folder, "dev");
  await checkPorts(layout, folder);
  // One that a killed cluster left would tell of processes that are no more.
  if (readyFile !== undefined) removeReadyFile(readyFile);
  for (const lack of describeLacks(invocation.environment, process.getuid?.() ?? 0)) out.say(lack);

  const stopping = stopSignal(invocation);
  let tellReady = (): void => {};
  const supervisor = new Supervisor(planChildren({ folder, layout, environment: invocation.environment }), program, {
    died: (name, how, restartInMs) => {
      if (!stopping.isOver()) out.say(`${name} ended (${how}); it starts again in ${restartInMs / 1_000} s`);
    },
    restarted: (name, pid) => {
      out.say(`${name} is back (pid ${pid})`);
      tellReady();
    },
    failed: (name, message) => out.say(`${name}: ${message}`),
  });
  const client = clientAt([layout.master]);
  let code: number = exitCode.done;
  try {
    const ids = await startUp(supervisor, client, settings, stopping);
    if (ids) {
      const ready = (): ReadyFile => describeCluster(layout, supervisor, ids);
      tellReady = () => tellScripts(invocation, readyFile, ready());
      tellReady();
      out.data(ready());
      await live(invocation, settings, client, stopping);
    }
  } catch (error) {
    const known = toCliError(error);
    out.error(known);
    code = known.code;
  }
  stopping.release();
  tellReady = () => {};
  out.say("stopping: frameworks, tasks and agents, master, DNS, dashboard");
  await supervisor.stop();
  client.close();
  if (readyFile !== undefined) removeReadyFile(readyFile);
  lock.release();
  out.say(`stopped; what it knows is in ${folder}`);
  return code;
};

/** What a user sees of a cluster that runs, until it is to stop. */
async function live(invocation: Invocation, settings: Settings, client: Client, stopping: StopSignal): Promise<void> {
  const { out, options } = invocation;
  const { layout, folder, beganMs } = settings;
  const agents = layout.agents.length === 1 ? "agent" : `${layout.agents.length} agents`;
  const seconds = ((Date.now() - beganMs) / 1_000).toFixed(1);
  out.line(`master, ${agents}, services, cron, DNS and dashboard ready in ${seconds} s`);
  out.line(`master ${layout.master}  dns ${layout.dns}  dashboard http://${layout.edge}/  data ${folder}`);
  const showing = options.flag("example") ? showExample(client, invocation, layout) : showJobs(client, invocation);
  const shown = showing.catch((error: unknown) => out.say(`the jobs can't be shown: ${toCliError(error).message}`));
  await Promise.race([shown, stopping.requested]);
  if (stopping.isOver()) return;
  const events = followEvents(client, out);
  await stopping.requested;
  events.cancel();
}

function tellScripts({ out }: Invocation, readyFile: string | undefined, content: ReadyFile): void {
  try {
    if (readyFile !== undefined) writeReadyFile(readyFile, content);
  } catch (error) {
    // A full disk must not end a cluster that runs.
    out.say(`the ready file is out of date: ${toCliError(error).message}`);
  }
}

interface Settings {
  readonly folder: string;
  readonly layout: Layout;
  readonly readyFile: string | undefined;
  readonly timeoutMs: number;
  readonly beganMs: number;
}

function readSettings({ options, environment }: Invocation): Settings {
  const folder = resolve(options.text("dataDir") ?? (environment["MUSTER_DATA_DIR"] || ".muster"));
  const readyFile = options.text("readyFile");
  if (folder === "/") throw usageError("--data-dir can't be the root of the machine");
  return {
    folder,
    layout: layOut(
      options.integer("portOffset") ?? 0,
      options.integer("agents") ?? 1,
      ephemeralPortFirst(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")),
    ),
    readyFile: readyFile === undefined ? undefined : resolve(readyFile),
    timeoutMs: options.durationMs("timeout") ?? 60_000,
    beganMs: Date.now(),
  };
}

/** Starts all; gives the agents' ids, or nothing if it was told to stop before. */
async function startUp(
  supervisor: Supervisor,
  client: Client,
  { layout, timeoutMs, folder }: Settings,
  stopping: StopSignal,
): Promise<ReadonlyMap<string, string> | undefined> {
  const limit = deadline(timeoutMs);
  let isOver = false;
  const starting = supervisor.start().then(() => awaitCluster(client, layout, () => isOver));
  // A late failure of what is no longer waited for is told by nobody.
  starting.catch(() => {});
  const outcome = await Promise.race([starting, limit.passed, stopping.requested]);
  isOver = true;
  limit.release();
  if (outcome === "timeout")
    throw new CliError(exitCode.timeout, `the cluster was not ready within ${timeoutMs / 1_000} s`, {
      hint: `read the logs in ${join(folder, "logs")}`,
    });
  return outcome === "stop" ? undefined : outcome;
}

function describeCluster(layout: Layout, supervisor: Supervisor, ids: ReadonlyMap<string, string>): ReadyFile {
  return {
    master: { address: layout.master, pid: supervisor.pid("master") },
    agents: layout.agents.map(({ name, address }) => ({
      id: ids.get(name) ?? "",
      name,
      address,
      pid: supervisor.pid(name),
    })),
    frameworks: frameworkNames.map((name) => ({ name, pid: supervisor.pid(name) })),
    dns: { address: layout.dns, domain: dnsDomain, pid: supervisor.pid("dns") },
    dashboard: { url: `http://${layout.edge}/`, pid: supervisor.pid("edge") },
  };
}

async function showExample(client: Client, invocation: Invocation, layout: Layout): Promise<void> {
  const { out } = invocation;
  const result = await runExample(client, invocation);
  if (result === undefined) return showJobs(client, invocation);
  const { job, outcome } = result;
  if (job) {
    out.line(`\n${instancesTable(job, out, Date.now())}`);
    for (const line of obstacleLines(job)) out.line(line);
  }
  if (outcome === "reached") {
    const { name, reply } = await askExample(layout.dns, dnsDomain, job?.summary?.healthy ?? 0);
    out.line(`\n${name} at ${layout.dns}`);
    out.line(recordsTable(reply.answers));
  } else out.say(`${exampleName} is not healthy yet`);
  out.line(`\ndashboard  http://${layout.edge}/\n\nnext:`);
  const muster = commandPrefix(invocation, layout);
  for (const command of ["job status hello", "job logs -f hello", "job scale hello=5", "dns hello", "job stop hello"])
    out.line(`  ${muster} ${command}`);
  out.line();
}

async function showJobs(client: Client, invocation: Invocation): Promise<void> {
  if (!invocation.out.json) await listJobs(client, invocation.out, undefined);
}

/** How the user can call us from another terminal. */
function commandPrefix({ environment }: Invocation, layout: Layout): string {
  const name = environment["npm_command"] === undefined ? "muster" : "npx muster";
  return layout.master === "127.0.0.1:5050" ? name : `MUSTER_ADDR=${layout.master} ${name}`;
}

interface StopSignal {
  readonly requested: Promise<"stop">;
  isOver(): boolean;
  release(): void;
}

/**
 * Ctrl-C, SIGTERM, a closed terminal, or npm's end. npm delivers Ctrl-C a second time, so a second one means nothing; and
 * since stopping takes seconds at most, no signal hurries it.
 */
function stopSignal({ environment }: Invocation): StopSignal {
  let over = false;
  let heard = (): void => {};
  const requested = new Promise<"stop">((resolveStop) => {
    heard = () => {
      over = true;
      resolveStop("stop");
    };
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, heard);
  const release = watchNpmParent(environment, heard);
  return { requested, isOver: () => over, release };
}
