import { runToEnd, runTool } from "../kernel/run-tool.ts";
import type { BridgePlan } from "./settings.ts";

/**
 * Where Docker runs it drops what the host would pass on, and no accept of another table helps against a drop. Docker leaves
 * the chain DOCKER-USER to others: there the bridge is let through, and only there.
 */
const families = ["ip", "ip6"] as const;

/** A bridge, and the table whose name marks its rules. */
type Passed = Pick<BridgePlan, "bridge" | "table">;

/** Lets the bridge through where there is such a chain. Doing it twice is harmless. */
export async function passDocker(plan: Passed): Promise<void> {
  for (const family of families) {
    const handles = await ownRules(plan, family);
    if (handles === undefined || handles.length > 0) continue;
    const rule = (words: string): string =>
      `insert rule ${family} filter DOCKER-USER ${words} accept comment "${plan.table}"`;
    await runTool("nft", ["-f", "-"], `${rule(`iifname "${plan.bridge}"`)}\n${rule(`oifname "${plan.bridge}"`)}\n`);
  }
}

/** Takes the rules away again. */
export async function leaveDocker(plan: Passed): Promise<void> {
  for (const family of families) {
    const handles = (await ownRules(plan, family)) ?? [];
    const lines = handles.map((handle) => `delete rule ${family} filter DOCKER-USER handle ${handle}`);
    if (lines.length > 0) await runTool("nft", ["-f", "-"], `${lines.join("\n")}\n`);
  }
}

/** Handles of our rules in the chain; undefined: there is no such chain. */
async function ownRules({ table }: Passed, family: string): Promise<string[] | undefined> {
  const { code, output } = await runToEnd("nft", ["-a", "list", "chain", family, "filter", "DOCKER-USER"]);
  if (code !== 0) return undefined;
  const lines = output.split("\n").filter((line) => line.includes(`comment "${table}"`));
  return lines.flatMap((line) => /# handle (\d+)/.exec(line)?.[1] ?? []);
}
