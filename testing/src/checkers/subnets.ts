import { type MasterView, type Violation, violation } from "@muster/master";

/** A subnet of an overlay network as a host was told of it last. */
export interface ToldSubnet {
  readonly host: string;
  readonly network: string;
  readonly subnet: string;
}

/**
 * Watches who has which subnet of an overlay network: no two agents have one, an agent keeps its own for as long as it is
 * known, whatever becomes of masters, and nobody is told of one that is not its own. What its host was not told of is not
 * an agent's yet: a master that dies before its store has taken it leaves nothing behind.
 */
export class SubnetWatch {
  /** What each was told of first, by network and agent. */
  readonly #first = new Map<string, string>();

  look({ overlays, agents }: MasterView, told: readonly ToldSubnet[]): Violation[] {
    const violations: Violation[] = [];
    const names = new Map(agents.map(({ agentId, name }) => [agentId, name]));
    for (const { network, leases } of overlays) {
      const holders = new Map<string, string>();
      for (const { subnet, releasedAt } of leases) {
        if (!subnet || releasedAt > 0) continue;
        const { agentId, subnet: range } = subnet;
        const other = holders.get(range);
        if (other !== undefined) violations.push(violation("subnet-twice", agentId, `${range} is that of ${other}`));
        holders.set(range, agentId);
        const key = `${network?.name} ${agentId}`;
        const first = this.#first.get(key);
        if (first !== undefined && first !== range)
          violations.push(violation("subnet-changed", agentId, `${first} has become ${range}`));
        const isTold = told.some(
          (one) => one.network === network?.name && one.subnet === range && one.host === names.get(agentId),
        );
        if (first === undefined && isTold) this.#first.set(key, range);
      }
      for (const { host, network: name, subnet } of told) {
        const holder = holders.get(subnet);
        if (name === network?.name && holder !== undefined && (names.get(holder) ?? host) !== host)
          violations.push(violation("subnet-twice", host, `was told of ${subnet}, which ${holder} has`));
      }
    }
    return violations;
  }
}
