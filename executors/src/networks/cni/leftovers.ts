import { runToEnd } from "../kernel/run-tool.ts";

/** Chains that all containers share. */
const sharedChain = /^CNI-(HOSTPORT|FORWARD|ADMIN)/;

/**
 * Removes the rules of nat that plugins have left behind: reference plugins forget to take masquerading away where the
 * namespace was gone before them. Costs one listing per family, and nothing more where nothing was left.
 */
export async function removeLeftovers(containerId: string, network: string): Promise<void> {
  for (const tool of ["iptables", "ip6tables"]) {
    const { code, output } = await runToEnd(`${tool}-save`, ["-t", "nat"]);
    if (code !== 0) continue;
    const lines = removalOf(output, containerId, network);
    if (lines.length === 0) continue;
    const text = `*nat\n${lines.join("\n")}\nCOMMIT\n`;
    const { code: end, errors, fault } = await runToEnd(`${tool}-restore`, ["--noflush"], text);
    if (end !== 0) throw new Error(fault ?? `rules of ${containerId} could not be removed: ${errors.trim()}`);
  }
}

/** What removes the rules and chains of one container in one network, in the language of iptables-restore. */
export function removalOf(saved: string, containerId: string, network: string): string[] {
  const name = `name: \\"${network}\\" id: \\"${containerId}\\"`;
  const own = saved.split("\n").filter((line) => line.startsWith("-A ") && line.includes(name));
  const targets = own.flatMap((line) => / -j (CNI-\S+)/.exec(line)?.[1] ?? []);
  const chains = [...new Set(targets)].filter((chain) => !sharedChain.test(chain));
  const jumps = own.filter((line) => !chains.includes(line.split(" ")[1] ?? ""));
  return [
    ...jumps.map((line) => `-D ${line.slice("-A ".length)}`),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
  ];
}
