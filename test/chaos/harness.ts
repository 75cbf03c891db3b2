import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyMessage, grpcTransport, type Random } from "@muster/foundation";
import { decodeRecord } from "../../executors/src/agent/checkpoint/record.ts";
import { DevCluster, type JobNow, program, until } from "../e2e/dev-cluster.ts";
import { askSrvPorts, type Place, pause } from "./clients.ts";
import { componentsOf, processesWith, tasksOf } from "./processes.ts";

export const jobName = "swarm";
export const instanceCount = 50;
export const srvName = `_http._${jobName}._tcp.services.muster`;
/** A second job, whose count is changed while components die. */
export const movingJobName = "moving";
const movingCountFirst = 3;
const scaleTimeoutMs = 2_000;
const logTailLines = 25;
const agentCount = 2;

/** Ends the command line of every instance of a job, so that /proc can tell them. */
const markerOf = (job: string): string => `# instance of ${job}`;

/** Answers every request with its process id. Perl, since fifty of these must be cheap. */
const serverOf = (job: string): string =>
  [
    "use Socket; $SIG{PIPE} = 'IGNORE';",
    "socket(S, PF_INET, SOCK_STREAM, 0) or die; setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);",
    "bind(S, sockaddr_in($ENV{MUSTER_PORT_http}, INADDR_ANY)) or die $!; listen(S, 128) or die;",
    "while (1) { accept(C, S) or next; sysread(C, my $q, 4096);",
    "syswrite(C, qq(HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\npid $$)); close C }",
    markerOf(job),
  ].join(" ");

const jobspecOf = (job: string, count: number): string => `job "${job}" {
  type = "service"

  group "bee" {
    count = ${count}

    network {
      port "http" {}
    }

    service {
      name = "${job}"
      port = "http"

      check {
        type     = "http"
        path     = "/"
        interval = "5s"
        timeout  = "3s"
      }
    }

    task "server" {
      driver = "process"

      config {
        command = "perl"
        args = ["-e", ${JSON.stringify(serverOf(job))}]
      }

      resources {
        cpu    = 10
        memory = 16
      }
    }
  }
}
`;

/** A kill that was carried out. */
export interface Kill {
  readonly atMs: number;
  readonly component: string;
  readonly pid: number;
}

/** A real cluster with fifty instances of one service, and a second DNS server that nobody kills. */
export class Swarm {
  readonly cluster: DevCluster;
  readonly kills: Kill[] = [];
  readonly #portOffset: number;
  readonly #transport = grpcTransport();
  #secondDns: ChildProcess | undefined;

  constructor(portOffset: number) {
    this.#portOffset = portOffset;
    this.cluster = new DevCluster(portOffset);
  }

  get secondDnsAddress(): string {
    return `127.0.0.1:${8_063 + this.#portOffset}`;
  }

  /** Resolves when all instances are healthy and the second DNS server names them. */
  async start(): Promise<void> {
    const { cluster } = this;
    await cluster.start("--no-example", "--agents", String(agentCount));
    const args = ["daemon", "dns", "--listen", this.secondDnsAddress, "--master", cluster.masterAddress];
    this.#secondDns = spawn(process.execPath, [program, ...args, "--http", `127.0.0.1:${8_133 + this.#portOffset}`], {
      stdio: "ignore",
    });
    await this.#run(jobName, instanceCount);
    await this.settled(30_000);
  }

  /** Starts the second job; resolves when it is healthy. */
  startMoving(): Promise<void> {
    return this.#run(movingJobName, movingCountFirst);
  }

  async #run(name: string, count: number): Promise<void> {
    const file = join(this.cluster.folder, `${name}.hcl`);
    writeFileSync(file, jobspecOf(name, count));
    const ran = await this.cluster.muster("job", "run", "--timeout", "90s", file);
    if (ran.code !== 0) throw new Error(`${name} is not healthy (${ran.code}): ${ran.stdout}${ran.stderr}`);
  }

  /** Waits until the job is whole, every agent is back, and the second DNS server names all the job's instances. */
  async settled(withinMs: number): Promise<JobNow> {
    let job: JobNow | undefined;
    await until("all instances are healthy and named", withinMs, async () => {
      job = await this.cluster.job(jobName).catch(() => undefined);
      if (job?.healthy !== instanceCount || job.running !== instanceCount || job.status !== "running") return false;
      // Its framework knows the job before agents have told a new master of their tasks.
      const agents = await this.cluster.json<{ state: string }[]>("agent", "list").catch(() => []);
      if (agents.filter(({ state }) => state === "registered").length !== agentCount) return false;
      const named = await askSrvPorts(this.secondDnsAddress, srvName).catch(() => []);
      return named.join() === portsOf(job).join();
    });
    if (!job) throw new Error("no job");
    return job;
  }

  /** Main processes of a job's instances by task id. */
  processes(job: string): Map<string, number[]> {
    return tasksOf(this.cluster.data, markerOf(job));
  }

  /** Changes the count of the second job; false if the cluster could not take it in just now. */
  scaleMoving(count: number): Promise<boolean> {
    const request = { ...emptyMessage("ScaleRequest"), name: movingJobName, count };
    return new Promise((resolve) => {
      this.#transport.call("Jobs.Scale", this.cluster.masterAddress, request, scaleTimeoutMs, ({ ok }) => resolve(ok));
    });
  }

  /** Kills random components, 0.1 to 4 s apart. What is being started again may be killed again. */
  async killComponents(count: number, random: Random): Promise<void> {
    const beganMs = Date.now();
    while (this.kills.length < count) {
      await pause(100 + Math.floor(random.next() * 3_900));
      const alive = [...componentsOf(this.cluster.data, this.cluster.pid)].sort();
      const [component, pid] = alive[Math.floor(random.next() * alive.length)] ?? [];
      if (component === undefined || pid === undefined) continue;
      try {
        process.kill(pid, "SIGKILL");
        this.kills.push({ atMs: Date.now() - beganMs, component, pid });
      } catch {
        // It ended by itself since we looked; the next one counts.
      }
    }
  }

  /** Kills every component at one moment, as an operator's mistake would. */
  killAll(): void {
    for (const [component, pid] of componentsOf(this.cluster.data, this.cluster.pid)) {
      process.kill(pid, "SIGKILL");
      this.kills.push({ atMs: 0, component, pid });
    }
  }

  /** Waits until every component runs, and the ready file says so. */
  async componentsAreBack(withinMs: number): Promise<void> {
    await until("every component is back", withinMs, () => {
      const { master, agents, frameworks, dns, dashboard } = this.cluster.ready();
      const told = [master, ...agents, ...frameworks, dns, dashboard].map(({ pid }) => pid).sort();
      const seen = [...componentsOf(this.cluster.data, this.cluster.pid).values()].sort();
      return told.length === agentCount + 5 && told.join() === seen.join();
    });
  }

  /** Statuses that agents still keep since nobody acknowledged them, by task. Read from the agents' own records. */
  unacknowledged(): string[] {
    const agents = join(this.cluster.data, "agents");
    return readdirSync(agents, { recursive: true, encoding: "utf8" })
      .filter((path) => /\/tasks\/[^/]+\/\d+\/state$/.test(path))
      .flatMap((path) => {
        const record = decodeRecord(readFileSync(join(agents, path)));
        if (!record.ok) throw new Error(`${path}: ${record.reason}`);
        const { taskId, queue } = record.value as { taskId: string; queue: unknown[] };
        return queue.map(() => taskId);
      });
  }

  /** What people need to understand a failure. */
  describe(): string {
    const folder = join(this.cluster.data, "logs");
    const tails = readdirSync(folder).map((name) => {
      const lines = readFileSync(join(folder, name), "utf8").trimEnd().split("\n");
      return `== ${name}\n${lines.slice(-logTailLines).join("\n")}`;
    });
    const kills = this.kills.map(({ atMs, component, pid }) => `${atMs} ms ${component} (${pid})`);
    return [`kills:\n${kills.join("\n")}`, ...tails, `== muster dev\n${this.cluster.output.slice(-4_000)}`].join(
      "\n\n",
    );
  }

  /** Nothing is left after this, whatever happened. */
  async remove(): Promise<void> {
    this.stopSecondDns();
    this.#transport.close();
    await this.cluster.remove();
    for (const { pid } of processesWith(this.cluster.data)) process.kill(pid, "SIGKILL");
  }

  stopSecondDns(): void {
    this.#secondDns?.kill("SIGKILL");
  }
}

export function portsOf(job: JobNow): number[] {
  return job.instances.map(({ ports }) => ports["http"] ?? 0).sort((a, b) => a - b);
}

export function placesOf(job: JobNow): Place[] {
  return job.instances.map(({ id, ports, pid }) => ({ id, port: ports["http"] ?? 0, pid }));
}
