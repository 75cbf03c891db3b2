import { decodePort } from "./decode-port.ts";
import { JobInvalid, Reader } from "./reader.ts";
import type { Check, CheckRestart, Network } from "./types.ts";

export function decodeCheck(value: unknown, path: string, network: Network, taskNames: readonly string[]): Check {
  const reader = new Reader(value, path);
  const type = reader.oneOf("type", ["http", "tcp", "grpc", "script"]);
  const common = {
    name: reader.text("name", 256),
    ...(reader.has("task") ? { task: reader.oneOf("task", taskNames) } : {}),
    ...(type === "script" ? {} : decodePort(reader, network)),
    intervalMs: reader.integer("intervalMs", 1000, 86_400_000),
    timeoutMs: reader.integer("timeoutMs", 1000, 86_400_000),
    successesBeforePassing: reader.integer("successesBeforePassing", 0, 1000),
    failuresBeforeCritical: reader.integer("failuresBeforeCritical", 0, 1000),
    ...(reader.has("checkRestart")
      ? { checkRestart: decodeCheckRestart(reader.raw("checkRestart"), reader.at("checkRestart")) }
      : {}),
  };
  const made = decodeOwn(type, common, reader);
  reader.done();
  return made;
}

type Common = Omit<Extract<Check, { type: "tcp" }>, "type">;

function decodeOwn(type: Check["type"], common: Common, reader: Reader): Check {
  switch (type) {
    case "tcp":
      return { type, ...common };
    case "http":
      return { type, ...common, ...decodeHttp(reader) };
    case "grpc":
      return { type, ...common, service: reader.text("service", 256), tls: reader.bool("tls"), ...decodeTls(reader) };
    case "script": {
      const command = reader.text("command");
      if (command === "") reader.fail("command", "must not be empty");
      return { type, ...common, command, args: reader.texts("args") };
    }
  }
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
    ...decodeTls(reader),
  };
}

function decodeTls(reader: Reader) {
  return { tlsServerName: reader.text("tlsServerName"), tlsSkipVerify: reader.bool("tlsSkipVerify") };
}

function decodeCheckRestart(value: unknown, path: string): CheckRestart {
  const reader = new Reader(value, path);
  const made = { limit: reader.integer("limit", 0, 1_000_000), graceMs: reader.duration("graceMs") };
  reader.done();
  return made;
}
