import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@muster/foundation";
import { taskFolders } from "../agent/folders.ts";
import type { ProbeResult, ProbeTarget } from "../world/prober.ts";
import { type NodeProber, nodeProber } from "./node-prober.ts";

/** A prober with a data folder and a socket folder of its own, made anew for each test and ended after it. */
export class Probing {
  prober: NodeProber = nodeProber({ dataFolder: "/nowhere", log: silentLog });
  dataFolder = "";
  readonly #cleanups: (() => void)[] = [];

  static use(beforeEach: (act: () => void) => void, afterEach: (act: () => void) => void): Probing {
    const probing = new Probing();
    beforeEach(() => {
      probing.dataFolder = mkdtempSync(join(tmpdir(), "muster-health-"));
      probing.prober = nodeProber({ dataFolder: probing.dataFolder, log: silentLog });
    });
    afterEach(() => {
      probing.prober.stop();
      for (const cleanup of probing.#cleanups.splice(0).reverse()) cleanup();
      rmSync(probing.dataFolder, { recursive: true, force: true });
    });
    return probing;
  }

  /** To be undone after the test, the last first. */
  after(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  probe(target: ProbeTarget, timeoutMs = 5_000): Promise<ProbeResult> {
    return new Promise((resolve) => this.prober.probe(target, timeoutMs, resolve));
  }

  /** Makes the working folder of a task. */
  folder(id: string): string {
    const { work } = taskFolders(this.dataFolder, id);
    mkdirSync(work, { recursive: true });
    return work;
  }

  /** Listens on loopback until the test is over; gives the port. */
  listen(server: Server): Promise<number> {
    this.after(() => server.close());
    return new Promise((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
    );
  }
}

/** Waits for something to come true. */
export async function until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Living processes with that text in their command line or environment, other than this one. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && ["cmdline", "environ"].some(holds(pid, text)));
}

/** Living children of a process. */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter(
      (child) => Number.isInteger(child) && read(`/proc/${child}/stat`).match(/.*\) [^Z] (\d+) /s)?.[1] === `${pid}`,
    );
}

function holds(pid: number, text: string): (name: string) => boolean {
  return (name) => read(`/proc/${pid}/${name}`).includes(text);
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
