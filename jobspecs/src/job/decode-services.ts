import { JobInvalid, Reader } from "./reader.ts";
import type { Check, CheckRestart, Network, Service } from "./types.ts";

export function decodeServices(owner: Reader, network: Network): Service[] {
  return owner.list("services", 1000, (value, path) => {
    const reader = new Reader(value, path);
    const made: Service = {
      name: reader.text("name", 256),
      ...decodePort(reader, network),
      tags: reader.texts("tags"),
      meta: reader.textMap("meta"),
      checks: reader.list("checks", 100, (check, at) => decodeCheck(check, at, network)),
    };
    if (made.name === "") reader.fail("name", "must not be empty");
    reader.done();
    return made;
  });
}

function decodePort(reader: Reader, network: Network): { portLabel?: string; port?: number } {
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

function decodeCheck(value: unknown, path: string, network: Network): Check {
  const reader = new Reader(value, path);
  const type = reader.oneOf("type", ["http", "tcp"]);
  const common = {
    name: reader.text("name", 256),
    ...decodePort(reader, network),
    intervalMs: reader.integer("intervalMs", 1000, 86_400_000),
    timeoutMs: reader.integer("timeoutMs", 1000, 86_400_000),
    successesBeforePassing: reader.integer("successesBeforePassing", 0, 1000),
    failuresBeforeCritical: reader.integer("failuresBeforeCritical", 0, 1000),
    ...(reader.has("checkRestart")
      ? { checkRestart: decodeCheckRestart(reader.raw("checkRestart"), reader.at("checkRestart")) }
      : {}),
  };
  const made: Check = type === "tcp" ? { type, ...common } : { type, ...common, ...decodeHttp(reader) };
  reader.done();
  return made;
}

function decodeHttp(reader: Reader) {
  const path = reader.text("path");
  if (!path.startsWith("/")) reader.fail("path", 'must begin with "/"');
  return {
    protocol: reader.oneOf("protocol", ["http", "https"]),
    method: reader.name("method"),
    path,
    headers: reader.map("headers", (value, at): string[] => {
      const texts: unknown[] = Array.isArray(value) ? value : [undefined];
      return texts.map((text) => {
        if (typeof text !== "string") throw new JobInvalid(at, "must be a list of texts");
        return text;
      });
    }),
    body: reader.text("body"),
    tlsServerName: reader.text("tlsServerName"),
    tlsSkipVerify: reader.bool("tlsSkipVerify"),
  };
}

function decodeCheckRestart(value: unknown, path: string): CheckRestart {
  const reader = new Reader(value, path);
  const made = { limit: reader.integer("limit", 0, 1_000_000), graceMs: reader.duration("graceMs") };
  reader.done();
  return made;
}
