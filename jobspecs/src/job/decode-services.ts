import { decodeCheck } from "./decode-checks.ts";
import { decodePort } from "./decode-port.ts";
import { Reader } from "./reader.ts";
import type { Network, Service } from "./types.ts";

/** `taskNames` are those that a check may name as its task. */
export function decodeServices(owner: Reader, network: Network, taskNames: readonly string[]): Service[] {
  return owner.list("services", 1000, (value, path) => {
    const reader = new Reader(value, path);
    const made: Service = {
      name: reader.text("name", 256),
      ...decodePort(reader, network),
      tags: reader.texts("tags"),
      meta: reader.textMap("meta"),
      checks: reader.list("checks", 100, (check, at) => decodeCheck(check, at, network, taskNames)),
    };
    if (made.name === "") reader.fail("name", "must not be empty");
    reader.done();
    return made;
  });
}
