import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { HostWorldOptions } from "../../executors/src/host-world.ts";

const program = fileURLToPath(new URL("./crash-agent.mjs", import.meta.url));
const lookEveryMs = 5;

export interface CrashSettings {
  readonly drivers: readonly string[];
  readonly networkModes: readonly string[];
  readonly world: Partial<HostWorldOptions>;
}

/** A real agent that kills itself at a point of its work; see crash-agent.mjs. */
export class CrashAgent {
  readonly #fixture: AgentFixture;
  readonly #settings: CrashSettings;
  #child: ChildProcess | undefined;

  constructor(fixture: AgentFixture, settings: CrashSettings) {
    this.#fixture = fixture;
    this.#settings = settings;
  }

  get isDead(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Waits until it is registered. */
  async start(): Promise<void> {
    const { master, dataFolder } = this.#fixture;
    const { registrations } = master;
    const { drivers, networkModes, world } = this.#settings;
    const resources = { cpuMillis: 1_000, memoryMiB: 256, diskMiB: 1_000, portCount: 100, custom: {} };
    const host = {
      ip: "127.0.0.1",
      resources,
      attributes: [],
      drivers,
      networkModes,
      unavailable: [],
      mayChangeUser: true,
    };
    const words = [program, dataFolder, master.address, JSON.stringify({ host, world })];
    this.#child = spawn(process.execPath, words, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    await master.until(() => master.registrations > registrations, "registration", 20_000);
  }

  /** From here on its effects are counted, and it ends before that one; 0: never. */
  arm(point: number): void {
    this.#child?.send({ type: "arm", point });
  }

  /** Effects since it was armed. */
  count(): Promise<number> {
    return new Promise((resolve) => {
      this.#child?.once("message", (message) => resolve((message as { count: number }).count));
      this.#child?.send({ type: "count" });
    });
  }

  async untilDeadOr(condition: () => boolean, what: string, timeoutMs: number, everyMs = lookEveryMs): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.isDead && !condition()) {
      if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async kill(): Promise<void> {
    if (this.isDead) return;
    const gone = new Promise((resolve) => this.#child?.once("exit", resolve));
    this.#child?.kill("SIGKILL");
    await gone;
  }
}
