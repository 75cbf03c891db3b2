import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage, type GrpcTransport, grpcTransport } from "@muster/foundation";
import { freePort } from "@muster/foundation/free-port";
import type { GetMasterResponse } from "@muster/proto";
import { type EtcdMember, startEtcd } from "../../master/src/store/etcd/etcd.test.fixture.ts";
import { type Finished, type JobNow, muster, processesOf, program, until } from "./dev-cluster.ts";

/** The machine may be busy with other tests. */
export const patienceMs = 60_000;
export const leaseSeconds = 3;

/** One process of a cluster, with what it has written. */
export interface Daemon {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

/** A cluster of daemons that nobody supervises: an etcd, three masters, an agent, both frameworks, DNS and the edge. */
export class MastersFleet {
  readonly folder = mkdtempSync(join(tmpdir(), "muster-masters-"));
  readonly transport: GrpcTransport = grpcTransport();
  readonly masters = new Map<string, Daemon>();
  dns = "";
  edge = "";
  #etcd: EtcdMember[] = [];
  readonly #others: Daemon[] = [];

  get addresses(): string {
    return [...this.masters.keys()].join(",");
  }

  async start(): Promise<void> {
    const addresses: string[] = [];
    this.#etcd = await startEtcd();
    for (let count = 0; count < 3; count++) addresses.push(await this.#place());
    for (const address of addresses) this.startMaster(address);
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
    this.#others.push(
      this.#daemon("agent", ...data, "--listen", agent, "--name", "a1", "--ip", "127.0.0.1", ...master),
      this.#daemon("services", ...master),
      this.#daemon("cron", ...master),
      this.#daemon("dns", "--listen", dns, "--http", http, ...master),
      this.#daemon("edge", "--listen", edge, "--dns-http", http, ...master),
    );
    await until("one leads", patienceMs, async () => (await this.leader()) !== undefined);
    await until("agent and frameworks are there", patienceMs, async () => {
      const { stdout } = await this.muster("framework", "list", "--json");
      const { stdout: agents } = await this.muster("agent", "list", "--json");
      return stdout.includes('"services"') && stdout.includes('"cron"') && agents.includes('"a1"');
    });
  }

  startMaster(address: string): void {
    const store = `etcd://${this.#etcd.map(({ endpoint }) => endpoint).join(",")}/e2e`;
    const args = ["--listen", address, "--store", store, "--lease-seconds", String(leaseSeconds)];
    this.masters.set(address, this.#daemon("master", ...args));
  }

  /** What the master that leads says of itself; asked of all of them. */
  async leader(): Promise<GetMasterResponse | undefined> {
    const answers = await Promise.all([...this.masters.keys()].map((address) => this.ask(address)));
    return answers.find((answer) => answer !== undefined);
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
    await until("another leads", patienceMs, async () => {
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
    return (JSON.parse(stdout) as { data: JobNow }).data;
  }

  /** Nothing of the cluster is left after this. */
  async remove(): Promise<void> {
    this.transport.close();
    for (const { child } of [...this.masters.values(), ...this.#others]) {
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
    for (const member of this.#etcd) member.remove();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
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
