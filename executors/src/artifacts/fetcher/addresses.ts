import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { FetchFailure } from "./fetch-failure.ts";

/**
 * Networks that no artifact comes from unless the operator says so: the host itself, its links with what clouds serve
 * there (names and keys of the machine), and addresses that mean nobody.
 */
const refusedNetworks: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["100.100.100.200", 32],
  ["224.0.0.0", 3],
  ["::", 128],
  ["::1", 128],
  ["fe80::", 10],
  ["fd00:ec2::254", 128],
  ["ff00::", 8],
];

export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Where artifacts may come from. */
export class AddressRules {
  readonly #refused = new BlockList();
  readonly #allowed = new BlockList();

  constructor(allowedNetworks: readonly string[]) {
    for (const [network, bits] of refusedNetworks) this.#refused.addSubnet(network, bits, familyWord(network));
    for (const text of allowedNetworks) {
      const [network = "", bits] = text.split("/");
      this.#allowed.addSubnet(network, Number(bits ?? (isIP(network) === 6 ? 128 : 32)), familyWord(network));
    }
  }

  /** Why an address is not asked; undefined: it may be. */
  problem(address: string): string | undefined {
    const plain = withoutMapping(address);
    const family = familyWord(plain);
    if (!this.#refused.check(plain, family) || this.#allowed.check(plain, family)) return undefined;
    return `${plain} is an address that artifacts do not come from; the agent's operator can allow it with --artifact-networks`;
  }

  /** The addresses of a host, all of which may be asked. Whoever asks one of these asks nobody else. */
  async resolve(host: string): Promise<HostAddress[]> {
    const name = host.replace(/^\[|\]$/g, "");
    const found = await lookup(name, { all: true }).catch((error: NodeJS.ErrnoException) => {
      throw new FetchFailure(`host ${name} is not found (${error.code})`);
    });
    for (const { address } of found) {
      const problem = this.problem(address);
      if (problem !== undefined) throw new FetchFailure(`host ${name}: ${problem}`);
    }
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  }
}

function familyWord(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** IPv4 in the clothes of IPv6 reaches what IPv4 does: "::ffff:1.2.3.4", in whatever form it is written. */
function withoutMapping(address: string): string {
  if (isIP(address) !== 6) return address;
  const short = new URL(`http://[${address.replace(/%.*$/, "")}]/`).hostname.slice(1, -1);
  const [, high, low] = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  const number = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}
