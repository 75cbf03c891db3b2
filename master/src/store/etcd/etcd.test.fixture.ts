import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@muster/foundation/free-port";
import { requestBytesMin, txnOperationsMin } from "./server-limits.ts";

/** Why tests can't have an etcd here; undefined if they can. */
export const etcdLack =
  spawnSync("etcd", ["--version"]).status === 0 ? undefined : "etcd is not installed (Debian: etcd-server)";

/** How long a member may take to be ready on a machine that others use as well. */
const readyMsMax = 30_000;

/** One member, or one of several, each a real process with a folder of its own. */
export class EtcdMember {
  readonly endpoint: string;
  readonly #args: readonly string[];
  readonly #folder: string;
  /** Told without TLS and without a user. */
  readonly #healthUrl: string;
  #process: ChildProcess | undefined;

  constructor(endpoint: string, healthUrl: string, folder: string, args: readonly string[]) {
    this.endpoint = endpoint;
    this.#healthUrl = healthUrl;
    this.#folder = folder;
    this.#args = args;
  }

  start(): void {
    this.#process = spawn("etcd", this.#args, { stdio: "ignore" });
  }

  async ready(): Promise<void> {
    const endMs = performance.now() + readyMsMax;
    for (;;) {
      try {
        const answer = await fetch(`${this.#healthUrl}/health`, { signal: AbortSignal.timeout(1_000) });
        if (answer.ok && ((await answer.json()) as { health: string }).health === "true") return;
      } catch {
        // Not yet.
      }
      if (performance.now() > endMs) throw new Error(`etcd at ${this.endpoint} is not ready after ${readyMsMax} ms`);
      await new Promise((wait) => setTimeout(wait, 50));
    }
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#process?.kill(signal);
  }

  remove(): void {
    this.kill("SIGCONT");
    this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const requiredFlags = [`--max-txn-ops=${txnOperationsMin}`, `--max-request-bytes=${requestBytesMin}`];

/** A cluster of so many members on ports of their own, ready to be used. */
export async function startEtcd(members = 1, flags: readonly string[] = requiredFlags): Promise<EtcdMember[]> {
  const places = await Promise.all(
    Array.from({ length: members }, async (_, index) => ({
      name: `m${index}`,
      client: await freePort(),
      metrics: await freePort(),
      peer: await freePort(),
    })),
  );
  const initial = places.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(",");
  const scheme = flags.includes("--cert-file") ? "https" : "http";
  const all = places.map(({ name, client, peer, metrics }) => {
    const folder = mkdtempSync(join(tmpdir(), "muster-etcd-"));
    return new EtcdMember(`127.0.0.1:${client}`, `http://127.0.0.1:${metrics}`, folder, [
      ...["--name", name, "--data-dir", join(folder, "data"), "--log-level", "error"],
      ...["--listen-client-urls", `${scheme}://127.0.0.1:${client}`],
      ...[
        "--advertise-client-urls",
        `${scheme}://127.0.0.1:${client}`,
        "--listen-metrics-urls",
        `http://127.0.0.1:${metrics}`,
      ],
      ...[
        "--listen-peer-urls",
        `http://127.0.0.1:${peer}`,
        "--initial-advertise-peer-urls",
        `http://127.0.0.1:${peer}`,
      ],
      ...["--initial-cluster", initial, "--initial-cluster-state", "new", ...flags],
    ]);
  });
  for (const member of all) member.start();
  await Promise.all(all.map((member) => member.ready()));
  return all;
}

/** A way to a member that a test can cut, or in which what is sent waits until it is let on. */
export class Relay {
  readonly #server;
  readonly #pairs = new Set<{ client: Socket; upstream: Socket; held: Buffer[] }>();
  #state: "open" | "held" | "cut" = "open";
  endpoint = "";

  constructor(target: string) {
    const [host, port] = target.split(":");
    this.#server = createServer((client) => {
      if (this.#state === "cut") return void client.destroy();
      const upstream = connect({ host: host ?? "", port: Number(port) });
      const pair = { client, upstream, held: [] as Buffer[] };
      this.#pairs.add(pair);
      client.on("data", (bytes) => void (this.#state === "held" ? pair.held.push(bytes) : upstream.write(bytes)));
      upstream.on("data", (bytes) => void client.write(bytes));
      client.on("error", () => {});
      upstream.on("error", () => {});
      client.on("close", () => this.#state !== "held" && upstream.destroy());
      upstream.on("close", () => client.destroy());
    });
  }

  static async to(target: string): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise<void>((done) => relay.#server.listen(0, "127.0.0.1", done));
    relay.endpoint = `127.0.0.1:${(relay.#server.address() as { port: number }).port}`;
    return relay;
  }

  cut(): void {
    this.#state = "cut";
    for (const { client } of this.#pairs) client.destroy();
  }

  mend(): void {
    this.#state = "open";
  }

  hold(): void {
    this.#state = "held";
  }

  /** What was held goes on its way, whoever still waits for it. */
  release(): void {
    for (const { upstream, held } of this.#pairs) for (const bytes of held.splice(0)) upstream.write(bytes);
  }

  close(): void {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
    this.#server.close();
  }
}
