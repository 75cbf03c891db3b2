import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { Engine } from "../../executors/src/engine/engine.ts";
import { EngineContainers } from "../../executors/src/engine/engine-containers.ts";
import { findEngine } from "../../executors/src/engine/find-engine.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";

/** What a test of an Engine needs of the machine. */
export const engineTools = ["dockerd", "containerd", "docker-init", "runc", "perl"];
/** An Engine that does not serve by then does not work here. */
const startTimeoutMs = 20_000;

/** A real Engine of its own: nothing of it meets another one, and it touches no rule and no bridge of the host. */
export class OwnDockerd {
  readonly folder = mkdtempSync(join(tmpdir(), "muster-engine-"));
  readonly socket = join(this.folder, "engine.sock");
  readonly #more: readonly string[];
  #child: ChildProcess | undefined;

  /** `more` are words of its command line. */
  constructor(...more: readonly string[]) {
    this.#more = more;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const config = join(this.folder, "daemon.json");
    writeFileSync(config, "{}");
    const log = createWriteStream(join(this.folder, "log"), { flags: "a" });
    await new Promise((resolve) => log.once("open", resolve));
    const words = [
      ...["--config-file", config, "--host", `unix://${this.socket}`],
      ...["--data-root", join(this.folder, "data"), "--exec-root", join(this.folder, "exec")],
      ...["--pidfile", join(this.folder, "pid"), "--iptables=false", "--ip6tables=false", "--bridge=none"],
      ...this.#more,
    ];
    this.#child = spawn("dockerd", words, { stdio: ["ignore", log, log] });
    log.close();
    await vi
      .waitUntil(async () => (await findEngine(this.socket)).works, { timeout: startTimeoutMs })
      .catch(() => {
        throw new Error(`no Engine: ${readFileSync(join(this.folder, "log"), "utf8").slice(-2_000)}`);
      });
  }

  /** With --live-restore its containers go on. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await gone;
  }

  async remove(): Promise<void> {
    await this.stop();
    for (const line of readFileSync("/proc/self/mounts", "latin1").split("\n").reverse()) {
      const [, point = ""] = line.split(" ");
      if (point.startsWith(this.folder)) execFileSync("umount", ["-l", point]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An image of one layer, under that name; `changes` are lines of a Dockerfile. */
  async importImage(tar: Buffer, name: string, changes: readonly string[] = []): Promise<void> {
    const [repository = "", tag = ""] = name.split(":");
    const query = new URLSearchParams({ fromSrc: "-", repo: repository, tag });
    for (const change of changes) query.append("changes", change);
    await this.#post(`/images/create?${query}`, "application/x-tar", tar);
  }

  /** A container that is never started. */
  async create(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const body = JSON.stringify({ Image: "base:1", Labels: labels, HostConfig: { NetworkMode: "none" } });
    await this.#post(`/containers/create?name=${name}`, "application/json", Buffer.from(body));
  }

  async removeContainer(name: string): Promise<void> {
    await new Engine(this.socket).ask({ method: "DELETE", path: `/containers/${name}?force=1` });
  }

  /** Of all containers. */
  async names(): Promise<string[]> {
    const { body } = await new Engine(this.socket).ask({ method: "GET", path: "/containers/json?all=1" });
    return (JSON.parse(body.toString()) as { Names: string[] }[]).flatMap(({ Names }) => Names);
  }

  /** What all its containers have on its disk, without a word to it. */
  containerFolders(): string[] {
    const folder = join(this.folder, "data/containers");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  async #post(path: string, type: string, body: Buffer): Promise<void> {
    const status = await new Promise<number>((resolve, reject) => {
      const headers = { "Content-Type": type, "Content-Length": body.length };
      const asked = request({ socketPath: this.socket, method: "POST", path, headers }, (answer) =>
        answer.resume().on("end", () => resolve(answer.statusCode ?? 0)),
      );
      asked.on("error", reject).end(body);
    });
    if (status >= 300) throw new Error(`the Engine refuses ${path}: status ${status}`);
  }

  /** What there is of an agent's containers, by the ids of its attempts. */
  async containersOf(dataFolder: string): Promise<string[]> {
    const found = await new EngineContainers(new Engine(this.socket), ownerOf(dataFolder)).list();
    return found.map(({ task }) => task);
  }
}
