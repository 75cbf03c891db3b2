import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Batch } from "../kernel/batch.ts";
import { runToEnd, toolTimeoutMs } from "../kernel/run-tool.ts";

/** Ports of one run. */
const portsMax = 256;

/**
 * Makes the kernel forget UDP flows to ports of the host. It remembers for minutes where a client's packets went: without
 * this a client that keeps its port would talk to a group that is gone. A host without `conntrack` lets them time out.
 * The kernel walks its whole table for every question (13 ms), so that all ports that wait share one; mostly there is
 * nothing to forget.
 */
export class UdpFlows {
  readonly #batch = new Batch<number>(forgetAll, portsMax);
  readonly #underWay = new Set<Promise<unknown>>();

  /** Returns at once: nobody's start or end waits for it. */
  forget(ports: readonly number[]): void {
    for (const port of ports) {
      const done = this.#batch.add(port).finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
    }
  }

  /** Waits until all that was to be forgotten is. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }
}

async function forgetAll(ports: readonly number[]): Promise<undefined[]> {
  const used = await flowsTo(new Set(ports));
  if (used.size > 0) {
    const lines = [...used].map((port) => `-D -p udp --orig-port-dst ${port}`);
    // It opens its input by name, which can be done with a pipe and not with the socket that Node gives to a child.
    await runToEnd("sh", ["-c", "cat | conntrack -R -"], `${lines.join("\n")}\n`);
  }
  return ports.map(() => undefined);
}

/** Which of the ports have a flow. Of a line "udp 17 29 src=A dst=B sport=C dport=PORT ..." the first dport counts. */
function flowsTo(ports: ReadonlySet<number>): Promise<ReadonlySet<number>> {
  return new Promise((resolve) => {
    const used = new Set<number>();
    const child = spawn("conntrack", ["-L", "-p", "udp"], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: toolTimeoutMs,
      killSignal: 9,
    });
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      const port = Number(/ dport=(\d+)/.exec(line)?.[1]);
      if (ports.has(port)) used.add(port);
    });
    child.on("error", () => resolve(used));
    lines.on("close", () => resolve(used));
  });
}
