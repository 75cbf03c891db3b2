import { Batch } from "../kernel/batch.ts";
import { runToEnd } from "../kernel/run-tool.ts";

/** Ports of one run. */
const portsMax = 256;

/**
 * Makes the kernel forget UDP flows to ports of the host. It remembers for minutes where a client's packets went: without
 * this a client that keeps its port would talk to a group that is gone. A host without `conntrack` lets them time out.
 */
export class UdpFlows {
  readonly #batch = new Batch<number>(forgetAll, portsMax);

  async forget(ports: readonly number[]): Promise<void> {
    await Promise.all(ports.map((port) => this.#batch.add(port)));
  }
}

async function forgetAll(ports: readonly number[]): Promise<undefined[]> {
  const lines = [...new Set(ports)].map((port) => `-D -p udp --orig-port-dst ${port}`);
  // It opens its input by name, which can be done with a pipe and not with the socket that Node gives to a child.
  await runToEnd("sh", ["-c", "cat | conntrack -R -"], `${lines.join("\n")}\n`);
  return ports.map(() => undefined);
}
