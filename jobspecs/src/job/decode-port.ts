import type { Reader } from "./reader.ts";
import type { Network } from "./types.ts";

export function decodePort(reader: Reader, network: Network): { portLabel?: string; port?: number } {
  const made: { portLabel?: string; port?: number } = {};
  if (reader.has("portLabel")) {
    made.portLabel = reader.text("portLabel", 63);
    if (!network.ports.some((port) => port.label === made.portLabel)) {
      reader.fail("portLabel", "must be a label of the group's network");
    }
  }
  if (reader.has("port")) made.port = reader.integer("port", 1, 65_535);
  return made;
}
