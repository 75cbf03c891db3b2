import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage, type GrpcTransport, grpcTransport, isStandby } from "@muster/foundation";
import { freePort } from "@muster/foundation/free-port";
import type { GetMasterResponse } from "@muster/proto";
import { type EtcdMember, Relay, startEtcd } from "../../master/src/store/etcd/etcd.test.fixture.ts";
import { type Finished, type JobNow, muster, processesOf, program, until } from "./dev-cluster.ts";

/** The machine may be busy with other tests. */
export const patienceMs = 60_000;
/** Long enough for a master that a busy machine keeps waiting. */
const leaseSeconds = 6;
/** A supervisor starts a master again so long after its end. */
const restartMs = 500;

const jobText = (name: string, count: number): string => `
job "${name}" {
  group "g" {
    count = ${count}
    network {
      port "http" {}
    }
    service {
      name = "${name}"
      port = "http"
    }
    task "t" {
      driver = "process"
      config {
        command = "sleep"
        args    = ["1000"]
      }
      resources {
        cpu    = 10
        memory = 16
      }
    }
  }
}
`;

/** One process of a cluster, with what it has written. */
export interface Daemon {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

/** The ways of one master: to etcd, and of all others to it. */
export interface Ways {
  readonly etcd: Relay;
  readonly peers: Relay;
}

export interface FleetOptions {
  /** Every way to and from a master can be cut. */
  readonly isRelayed?: boolean;
}

/**
 * A cluster of daemons: an etcd, three masters, an agent, both frameworks, DNS and the edge. A master that ends is started
 * again, until all are stopped.
 * Masters go by the addresses under which others find them.
 */
export class MastersFleet {
  readonly folder = mkdtempSync(join(tmpdir(), "muster-masters-"));
  readonly transport: GrpcTransport = grpcTransport();
  readonly masters = new Map<string, Daemon>();
  /** Where each listens. */
  readonly listening = new Map<string, string>();
  /** Of a fleet whose network can be cut. */
  readonly ways = new Map<string, Ways>();
  dns = "";
  edge = "";
  #etcd: EtcdMember[] = [];
  readonly #others = new Map<string, Daemon>();
  /** Masters are to run. */
  #isWanted = true;
  readonly #argsOf = new Map<string, readonly string[]>();

  get addresses(): string {
    return [...this.masters.keys()].join(",");
  }

  async start({ isRelayed = false }: FleetOptions = {}): Promise<void> {
    this.#etcd = await startEtcd();
    for (let count = 0; count < 3; count++) {
      const listen = await this.#place();
      const ways = isRelayed ? { etcd: await this.#toEtcd(), peers: await Relay.to(listen) } : undefined;
      const address = ways?.peers.endpoint ?? listen;
      if (ways) this.ways.set(address, ways);
      this.listening.set(address, listen);
      this.startMaster(address);
      // Who is cut off first is the one that everybody has first in the list.
      if (isRelayed && count === 0)
        await until("the first leads", patienceMs, async () => (await this.ask(address)) !== undefined);
    }
    const [agent, dns, http, edge] = [
      await this.#place(),
      await this.#place(),
      await this.#place(),
      await this.#place(),
    ];
    this.dns = dns;
    this.edge = edge;
    const master = ["--master", this.addresses];
    const data = ["--data-dir", join(this.folder, "agent")];
    this.#argsOf.set("agent", [...data, "--listen", agent, "--name", "a1", "--ip", "127.0.0.1", ...master]);
    this.#argsOf.set("services", master);
    this.#argsOf.set("cron", master);
    this.#argsOf.set("dns", ["--listen", dns, "--http", http, ...master]);
    this.#argsOf.set("edge", ["--listen", edge, "--dns-http", http, ...master]);
    for (const name of this.#argsOf.keys()) this.startOther(name);
    await until("one leads", patienceMs, async () => (await this.leader()) !== undefined);
    // A master listens when it knows who leads; one may take longer to start than all the others.
    await this.#untilMasters("every master is there", async () => {
      const there = await Promise.all([...this.listening.values()].map((address) => this.#isThere(address)));
      return !there.includes(false);
    });
    await until("agent and frameworks are there", patienceMs, async () => {
      const { stdout } = await this.muster("framework", "list", "--json");
      const { stdout: agents } = await this.muster("agent", "list", "--json");
      return stdout.includes('"services"') && stdout.includes('"cron"') && agents.includes('"a1"');
    });
  }

  startMaster(address: string): void {
    const etcd = this.ways.get(address)?.etcd.endpoint ?? this.#etcd.map(({ endpoint }) => endpoint).join(",");
    const listen = this.listening.get(address) ?? address;
    const args = ["--listen", listen, "--advertise", address, "--store", `etcd://${etcd}/e2e`];
    args.push("--lease-seconds", String(leaseSeconds));
    const daemon = this.#daemon("master", ...args);
    this.masters.set(address, daemon);
    this.#isWanted = true;
    void this.#supervise(address, daemon);
  }

  /** Starts the agent, a framework, DNS or the edge: it is as it was before. */
  startOther(name: string): void {
    this.#others.set(name, this.#daemon(name, ...(this.#argsOf.get(name) ?? [])));
  }

  async stopOther(name: string): Promise<void> {
    const daemon = this.#others.get(name);
    daemon?.child.kill("SIGTERM");
    await daemon?.ended;
  }

  async stopMasters(): Promise<void> {
    this.#isWanted = false;
    for (const { child } of this.masters.values()) child.kill("SIGTERM");
    await Promise.all([...this.masters.values()].map(({ ended }) => ended));
  }

  /** The first member, or the only one. */
  get etcd(): EtcdMember {
    const [member] = this.#etcd;
    if (!member) throw new Error("there is no etcd");
    return member;
  }

  /** What the master that leads says of itself; asked of all of them. */
  async leader(): Promise<GetMasterResponse | undefined> {
    const answers = await Promise.all([...this.masters.keys()].map((address) => this.ask(address)));
    return answers.find((answer) => answer !== undefined);
  }

  /** Where it does not come to be, what the masters said is told. */
  async #untilMasters(what: string, isSo: () => Promise<boolean>): Promise<void> {
    try {
      await until(what, patienceMs, isSo);
    } catch (cause) {
      const words = [...this.masters].map(
        ([address, { child, output }]) => `${address} (exit code ${child.exitCode}): ${output().slice(-1_000)}`,
      );
      throw new Error(`${(cause as Error).message}\n${words.join("\n")}`, { cause });
    }
  }

  /** Whether a master answers there, be it that it stands by. */
  #isThere(address: string): Promise<boolean> {
    return new Promise((resolve) => {
      const request = emptyMessage("GetMasterRequest");
      this.transport.call("Operator.GetMaster", address, request, 2_000, (result) =>
        resolve(result.ok || isStandby(result.error)),
      );
    });
  }

  /** Of one master: undefined if it does not lead. */
  ask(address: string): Promise<GetMasterResponse | undefined> {
    return new Promise((resolve) => {
      const request = emptyMessage("GetMasterRequest");
      this.transport.call("Operator.GetMaster", address, request, 2_000, (result) =>
        resolve(result.ok ? result.value : undefined),
      );
    });
  }

  /** Waits for a leader other than that one. */
  async nextLeader(than: GetMasterResponse): Promise<GetMasterResponse> {
    let found: GetMasterResponse | undefined;
    await this.#untilMasters(`another leads than ${than.address}`, async () => {
      const others = [...this.masters.keys()].filter((address) => address !== than.address);
      found = (await Promise.all(others.map((address) => this.ask(address)))).find((answer) => answer !== undefined);
      return found !== undefined;
    });
    return found as GetMasterResponse;
  }

  muster(...args: string[]): Promise<Finished> {
    return muster(args, { MUSTER_ADDR: this.addresses, MUSTER_DNS_ADDR: this.dns }, this.folder);
  }

  async job(name: string): Promise<JobNow> {
    const { stdout, stderr, code } = await this.muster("job", "status", name, "--json");
    if (stdout === "") throw new Error(`job status ended with ${code}: ${stderr}`);
    const { data } = JSON.parse(stdout) as { data: JobNow | null };
    if (data === null) throw new Error(`job status ended with ${code}: ${stdout}`);
    return data;
  }

  /** Runs a service of so many instances, and waits until they are healthy. */
  async run(name: string, count: number): Promise<void> {
    writeFileSync(join(this.folder, `${name}.hcl`), jobText(name, count));
    const ran = await this.muster("job", "run", "--timeout", "90s", `${name}.hcl`);
    if (ran.code !== 0) throw new Error(`job run ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
  }

  /** Of a job's instances that run, in order. */
  async pids(name: string): Promise<number[]> {
    const { instances } = await this.job(name);
    return instances
      .filter(({ state }) => state === "TASK_RUNNING")
      .map(({ pid }) => pid)
      .sort();
  }

  /** Nothing of the cluster is left after this. */
  async remove(): Promise<void> {
    this.#isWanted = false;
    this.transport.close();
    for (const { child } of [...this.masters.values(), ...this.#others.values()]) {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
    }
    for (const pid of processesOf(this.folder)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
    for (const { etcd, peers } of this.ways.values()) {
      etcd.close();
      peers.close();
    }
    for (const member of this.#etcd) member.remove();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #supervise(address: string, daemon: Daemon): Promise<void> {
    await daemon.ended;
    await new Promise((resolve) => setTimeout(resolve, restartMs));
    if (this.#isWanted && this.masters.get(address) === daemon) this.startMaster(address);
  }

  #toEtcd(): Promise<Relay> {
    return Relay.to(this.#etcd[0]?.endpoint ?? "");
  }

  async #place(): Promise<string> {
    return `127.0.0.1:${await freePort()}`;
  }

  #daemon(...args: string[]): Daemon {
    let output = "";
    // Its folder is in its environment, so that tasks of a killed agent are found as well.
    const env = { ...process.env, MUSTER_DATA_DIR: this.folder };
    const options = { env, cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"] };
    const child = spawn(process.execPath, [program, "daemon", ...args], options);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes: Buffer) => {
        output += bytes.toString("utf8");
      });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    return { child, output: () => output, ended };
  }
}
