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

/** The program that restores a snapshot: it has moved in etcd 3.6. Undefined: there is none. */
const restorer = ["etcdutl", "etcdctl"].find((name) => spawnSync(name, ["version"]).status === 0);

/** Why tests can't save and restore what an etcd has; undefined if they can. */
export const snapshotLack =
  etcdLack ??
  (restorer === undefined || spawnSync("etcdctl", ["version"]).status !== 0
    ? "etcdctl is not installed (Debian: etcd-client)"
    : undefined);

/** A command for etcd from a page for people, with this member's own values in place of the page's. */
export function runEtcdCommand(line: string, values: Readonly<Record<string, string>>): string {
  const [, ...args] = line.trim().split(/\s+/);
  const own = args.map((arg) => {
    const value = values[arg];
    return value ?? arg;
  });
  const program = own.includes("restore") ? (restorer ?? "etcdctl") : "etcdctl";
  const { status, stdout, stderr } = spawnSync(program, own, {
    encoding: "utf8",
    env: { ...process.env, ETCDCTL_API: "3" },
  });
  if (status !== 0) throw new Error(`${program} ${own.join(" ")} ended with ${status}: ${stderr}${stdout}`);
  return stdout;
}

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

  /** What it was started with under that flag. */
  flag(name: string): string {
    return this.#args[this.#args.indexOf(`--${name}`) + 1] ?? "";
  }

  /** Ends it, and waits for that: its folder is nobody's then. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
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

/** A connection through a relay. */
interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  /** What waits on its way, to each end. */
  readonly held: { readonly to: Socket; readonly bytes: Buffer }[];
  isOver: boolean;
}

/**
 * A way to somebody that a test can cut. Open: all passes. Held: what the client sends waits. Silent: nothing passes in
 * either direction, not even that an end is gone, as where a network drops packets. Cut: connections are refused and
 * reset.
 */
export class Relay {
  readonly #server;
  readonly #pairs = new Set<Pair>();
  #state: "open" | "held" | "silent" | "cut" = "open";
  endpoint = "";

  constructor(target: string) {
    const [host, port] = target.split(":");
    this.#server = createServer((client) => {
      if (this.#state === "cut") return void client.destroy();
      const upstream = connect({ host: host ?? "", port: Number(port) });
      const pair: Pair = { client, upstream, held: [], isOver: false };
      this.#pairs.add(pair);
      client.on("data", (bytes) => this.#pass(pair, upstream, bytes, this.#state !== "open"));
      upstream.on("data", (bytes) => this.#pass(pair, client, bytes, this.#state === "silent"));
      client.on("error", () => {});
      upstream.on("error", () => {});
      client.on("close", () => this.#state !== "held" && this.#end(pair));
      upstream.on("close", () => this.#end(pair));
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

  silence(): void {
    this.#state = "silent";
  }

  /** After a silence, what waited goes on its way, as what a network has lost is sent again. */
  mend(): void {
    const wasSilent = this.#state === "silent";
    this.#state = "open";
    if (!wasSilent) return;
    this.release();
    for (const pair of this.#pairs) if (pair.isOver) this.#end(pair);
  }

  hold(): void {
    this.#state = "held";
  }

  /** What was held goes on its way, whoever still waits for it. */
  release(): void {
    for (const { held } of this.#pairs) for (const { to, bytes } of held.splice(0)) to.write(bytes);
  }

  close(): void {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
    this.#server.close();
  }

  #pass({ held }: Pair, to: Socket, bytes: Buffer, waits: boolean): void {
    if (waits) held.push({ to, bytes });
    else to.write(bytes);
  }

  #end(pair: Pair): void {
    pair.isOver = true;
    if (this.#state === "silent") return;
    pair.client.destroy();
    pair.upstream.destroy();
    if (this.#state !== "held") this.#pairs.delete(pair);
  }
}
