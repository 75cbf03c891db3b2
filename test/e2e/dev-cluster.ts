import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, encode, type RecordType, type StringAnswer } from "dns-packet";
import { type Running, reading } from "./running.ts";

export const program = fileURLToPath(new URL("../../cli/bin/muster.js", import.meta.url));

/** How long a cluster may take to start on a busy machine. */
const startTimeoutMs = 60_000;
/** Promised: so long after the signal nothing of a cluster is left. */
export const stopTimeoutMs = 6_000;

export interface Ready {
  master: { address: string; pid: number };
  agents: { id: string; name: string; address: string; pid: number }[];
  frameworks: { name: string; pid: number }[];
  dns: { address: string; domain: string; pid: number };
  dashboard: { url: string; pid: number };
}

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

export interface JobNow {
  status: string;
  version: number;
  desired: number;
  running: number;
  healthy: number;
  message: string;
  rejections: { group: string; agent: string; reason: string }[];
  instances: {
    id: string;
    state: string;
    healthy: boolean;
    agent: string;
    pid: number;
    ip: string;
    ports: Record<string, number>;
    reason: string;
  }[];
}

/** Runs one command to its end. */
export function muster(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  folder?: string,
): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { env: { ...process.env, ...environment }, timeout: 100_000, ...(folder === undefined ? {} : { cwd: folder }) },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    ).stdin?.end();
  });
}

/** One `muster dev` with a folder and ports of its own. */
export class DevCluster {
  readonly folder: string;
  readonly readyFile: string;
  readonly offset: number;
  output = "";
  #process: ChildProcess | undefined;

  constructor(offset: number) {
    this.offset = offset;
    this.folder = mkdtempSync(join(tmpdir(), "muster-dev-"));
    this.readyFile = join(this.folder, "ready.json");
  }

  get data(): string {
    return join(this.folder, "data");
  }

  get masterAddress(): string {
    return `127.0.0.1:${5_050 + this.offset}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** The cluster's folder and processes, once it says that it is ready. */
  async start(...args: string[]): Promise<Ready> {
    const fixed = [
      "dev",
      "--data-dir",
      this.data,
      "--port-offset",
      String(this.offset),
      "--ready-file",
      this.readyFile,
    ];
    // What a killed cluster left must not pass for the new one's.
    rmSync(this.readyFile, { force: true });
    const child = spawn(process.execPath, [program, ...fixed, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes: Buffer) => {
        this.output += bytes.toString("utf8");
      });
    await until("the cluster is ready", startTimeoutMs, () => {
      if (child.exitCode !== null) throw new Error(`muster dev ended with ${child.exitCode}:\n${this.output}`);
      return existsSync(this.readyFile);
    });
    return this.ready();
  }

  ready(): Ready {
    return JSON.parse(readFileSync(this.readyFile, "utf8")) as Ready;
  }

  /** `muster …` against this cluster. */
  muster(...args: string[]): Promise<Finished> {
    return muster(args, { MUSTER_ADDR: this.masterAddress }, this.folder);
  }

  /** `muster …` against this cluster, which goes on until it ends by itself or by a signal. */
  spawn(...args: string[]): Running {
    const env = { ...process.env, MUSTER_ADDR: this.masterAddress };
    const options = { cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"] as "pipe"[] };
    return reading(spawn(process.execPath, [program, ...args], options));
  }

  /** The data of `muster … --json`. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.muster(...args, "--json");
    if (stdout === "") throw new Error(`muster ${args.join(" ")} ended with ${code}: ${stderr}`);
    return (JSON.parse(stdout) as { data: T }).data;
  }

  job(name: string): Promise<JobNow> {
    return this.json<JobNow>("job", "status", name);
  }

  /** Ends dev alone, as a crash would. */
  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  /** Ends the cluster in good order; gives how long that took. */
  async stop(): Promise<number> {
    const beganMs = Date.now();
    await this.#signal("SIGTERM");
    return Date.now() - beganMs;
  }

  /** Whatever a test did: nothing of the cluster is left after this. */
  async remove(): Promise<void> {
    await this.stop();
    for (const pid of processesOf(this.data)) tryKill(pid);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }
}

/** Processes, other than this one, that have a folder in their environment or command line. */
export function processesOf(folder: string): number[] {
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const texts = [readFileSync(`/proc/${entry}/cmdline`, "utf8"), readFileSync(`/proc/${entry}/environ`, "utf8")];
      if (texts.some((text) => text.includes(folder))) found.push(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** Whether something accepts connections there. */
export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

export interface SrvAnswer {
  code: string;
  ports: number[];
}

let nextId = 1;

/** One DNS question over UDP; rejects if no answer comes in time. */
export function askSrv(server: string, name: string, timeoutMs = 1_000): Promise<SrvAnswer> {
  const id = nextId++ & 0xffff;
  const question = encode({ type: "query", id, questions: [{ type: "SRV" as RecordType, name }] });
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const timer = setTimeout(() => {
      socket.close();
      reject(new Error(`no answer from ${server} within ${timeoutMs} ms`));
    }, timeoutMs);
    socket.on("message", (bytes) => {
      clearTimeout(timer);
      socket.close();
      const packet = decode(bytes) as unknown as { rcode: string; answers: StringAnswer[] };
      const ports = packet.answers.map((answer) => (answer as unknown as { data: { port: number } }).data.port);
      resolve({ code: packet.rcode, ports: ports.sort((a, b) => a - b) });
    });
    socket.on("error", reject);
    socket.send(question, Number(server.split(":")[1]), server.split(":")[0]);
  });
}

/** Looks again and again until it is so. */
export async function until(what: string, timeoutMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
