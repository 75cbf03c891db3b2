import { didYouMean } from "../diagnostics/suggest.ts";
import type { Network } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

/** The port of a service or check: a label of the group's network, or a number. */
export function buildPort(block: DecodedBlock, network: Network): { portLabel?: string; port?: number } {
  const written = block.text("port");
  if (written === undefined) return {};
  // The number that an agent would put here is that of a label we know.
  const text = /^\$\{(?:NOMAD|MUSTER)_PORT_([\w-]+)\}$/.exec(written)?.[1] ?? written;
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    if (port >= 1 && port <= 65_535) return { port };
    block.error("port", { code: "job/bad-port", summary: `${text} is no port` });
    return {};
  }
  const labels = network.ports.map((port) => port.label);
  if (!labels.includes(text)) {
    block.error("port", {
      code: "job/unknown-port",
      summary: `the group's network has no port "${text}"`,
      hint: didYouMean(text, labels) ?? `add port "${text}" { } to the group's network block`,
    });
  }
  return { portLabel: text };
}
