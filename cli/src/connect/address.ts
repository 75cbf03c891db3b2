import { usageError } from "../cli-error.ts";
import type { Invocation } from "../command.ts";

/** Where `muster dev` puts its master. */
export const masterAddressDefault = "127.0.0.1:5050";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The masters that are meant, of which one leads: flag, then MUSTER_ADDR, then the default. */
export function masterAddresses(invocation: Invocation): readonly string[] {
  const flag = invocation.options.text("address");
  const environment = invocation.environment["MUSTER_ADDR"] || undefined;
  const text = flag ?? environment ?? masterAddressDefault;
  const addresses = text.split(",").map((one) => one.trim());
  if (!addresses.every((address) => parseAddress(address)))
    throw usageError(
      `${flag === undefined ? "MUSTER_ADDR" : "--address"} needs host:port, not "${text}"`,
      `--address ${masterAddressDefault}`,
    );
  return addresses;
}

/** "host:port" or "[v6]:port". */
export function parseAddress(text: string): Address | undefined {
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3] ?? 0);
  if (!found || port < 1 || port > 65_535) return undefined;
  return { host: found[1] ?? found[2] ?? "", port };
}
