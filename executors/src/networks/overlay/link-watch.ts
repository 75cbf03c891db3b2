import { type ChildProcess, spawn } from "node:child_process";

/** A watcher that has ended is started again after so long. */
const restartMs = 1_000;

/**
 * Tells which links of the host are taken away or set down, as soon as that happens. It is one process that sleeps until
 * the kernel has news; it ends with the agent, however that ends.
 */
export class LinkWatch {
  readonly #lost: (link: string) => void;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOn = false;

  constructor(lost: (link: string) => void) {
    this.#lost = lost;
  }

  /** Starting twice is harmless. */
  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#spawn();
  }

  stop(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  #spawn(): void {
    const words = ["--pdeathsig", "KILL", "ip", "monitor", "link"];
    const child = spawn("setpriv", words, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#read(line);
    });
    child.on("error", () => this.#again(child));
    child.on("exit", () => this.#again(child));
    child.unref();
    (child.stdout as unknown as { unref?: () => void } | null)?.unref?.();
  }

  #again(child: ChildProcess): void {
    if (!this.#isOn || this.#child !== child) return;
    this.#child = undefined;
    this.#timer = setTimeout(() => this.#spawn(), restartMs);
    this.#timer.unref();
  }

  /** As in "Deleted 3: mo12: <BROADCAST> mtu 1450 …" and "2: eth0@if5: <BROADCAST,UP> mtu 1500 …". */
  #read(line: string): void {
    const found = /^(Deleted )?\d+: ([^:@\s]+)[^<]*<([^>]*)>/.exec(line);
    if (!found) return;
    const [, deleted, link = "", flags = ""] = found;
    if (deleted !== undefined || !flags.split(",").includes("UP")) this.#lost(link);
  }
}
