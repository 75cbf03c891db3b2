import { chain, closedChains } from "../bridge/ruleset.ts";
import type { OverlayPlan } from "./plan.ts";

/**
 * The rules of one network, in a form that may be loaded again. What leaves the network gets the host's address; within
 * it every task is seen with its own.
 */
export function overlayRules(plan: OverlayPlan, closedPorts: readonly number[]): string {
  const { table, bridge, network, subnet6 } = plan;
  const leaves = (family: string, range: string): string =>
    `${family} saddr ${range} ${family} daddr != ${range} masquerade`;
  const masquerade = [leaves("ip", network.cidr), ...(subnet6 ? [leaves("ip6", network.cidr6)] : [])];
  return [
    `add table inet ${table}`,
    `flush table inet ${table}`,
    `table inet ${table} {`,
    chain("post", "type nat hook postrouting priority srcnat;", masquerade),
    ...closedChains(bridge, closedPorts),
    "}",
  ].join("\n");
}
