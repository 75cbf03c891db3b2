import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { findBird } from "../../agent/fingerprint/overlay-backends.ts";
import { runToEnd, runTool } from "../kernel/run-tool.ts";
import { birdConfig, type Speaker, type SpokenNetwork } from "./bird-config.ts";

/**
 * BIRD, which speaks BGP for all networks of an agent. It is one daemon per agent that outlives it, like the tasks whose
 * routes it keeps; the next agent finds it by its control socket.
 */
export class Bird {
  readonly #base: string;
  readonly #networks = new Map<string, SpokenNetwork>();
  #speaker: Speaker | undefined;
  #text = "";
  #last: Promise<void> = Promise.resolve();

  constructor(owner: string) {
    this.#base = `/run/muster-bird-${owner}`;
  }

  /** Speaks of the network from now on, or of its peers as they are now; throws if BIRD does not work. */
  set(name: string, network: SpokenNetwork, speaker: Speaker): Promise<void> {
    this.#networks.set(name, network);
    this.#speaker = speaker;
    return this.#inTurn(() => this.#apply());
  }

  /** Speaks of it no more; the last takes the daemon with it, and it its routes. */
  remove(name: string): Promise<void> {
    if (!this.#networks.delete(name)) return Promise.resolve();
    return this.#inTurn(() => (this.#networks.size === 0 ? this.#end() : this.#apply()));
  }

  /** No network is spoken of: what an earlier agent has left goes, too. Costs nothing if nothing is there. */
  tidy(): Promise<void> {
    if (this.#networks.size > 0 || !existsSync(`${this.#base}.conf`)) return Promise.resolve();
    return this.#inTurn(() => (this.#networks.size === 0 ? this.#end() : Promise.resolve()));
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const next = this.#last.then(act);
    this.#last = next.catch(() => {});
    return next;
  }

  async #apply(): Promise<void> {
    if (!this.#speaker) return;
    const text = birdConfig([...this.#networks.values()], this.#speaker);
    const isRunning = await this.#isRunning();
    if (isRunning && text === this.#text) return;
    writeFileSync(`${this.#base}.conf`, text, { mode: 0o600 });
    if (isRunning) await this.#ask("configure");
    else {
      const bird = findBird();
      if (bird === undefined) throw new Error("bird was not found: apt-get install bird2");
      rmSync(`${this.#base}.ctl`, { force: true });
      const words = ["-c", `${this.#base}.conf`, "-s", `${this.#base}.ctl`, "-P", `${this.#base}.pid`];
      await runTool(bird, words);
    }
    this.#text = text;
  }

  async #end(): Promise<void> {
    if (await this.#isRunning()) {
      const pid = readFileSync(`${this.#base}.pid`, "utf8").trim();
      await this.#ask("down");
      await gone(pid);
    }
    this.#text = "";
    for (const end of ["conf", "ctl", "pid"]) rmSync(`${this.#base}.${end}`, { force: true });
  }

  async #isRunning(): Promise<boolean> {
    if (!existsSync(`${this.#base}.ctl`)) return false;
    const { code, output } = await runToEnd("birdc", ["-s", `${this.#base}.ctl`, "show", "status"]);
    return code === 0 && output.includes("is up");
  }

  async #ask(word: string): Promise<void> {
    const output = await runTool("birdc", ["-s", `${this.#base}.ctl`, word]);
    if (/syntax error|undefined|not found/i.test(output)) throw new Error(`bird: ${output.trim()}`);
  }
}

/** Waits until a process has ended, for a while. */
async function gone(pid: string): Promise<void> {
  for (let tries = 0; tries < 50 && existsSync(`/proc/${pid}`); tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
