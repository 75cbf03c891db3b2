import { runTool } from "./run-tool.ts";

/** Numbers of the tables of routes in a group's namespace begin here: one for each network beside the first. */
const tableFirst = 100;

/** An address of a group in a network beside its first, and who passes on there what is for others. */
export interface WayBack {
  readonly ip: string;
  readonly gateway: string;
}

/**
 * A group's way out is that of one network. Whoever has come by another one gets the answer there: what has its address goes
 * by a table of its own. Doing it again is harmless. Two runs of `ip`, for groups in several networks alone.
 */
export async function leadBack(namespace: string, index: number, ways: readonly WayBack[]): Promise<void> {
  const table = tableFirst + index;
  for (const family of ["-4", "-6"]) {
    const ofFamily = ways.filter(({ ip }) => ip.includes(":") === (family === "-6"));
    if (ofFamily.length === 0) continue;
    const lines = [
      // Adding what is there is a fault, and flushing what is not there is none.
      `rule flush table ${table}`,
      ...ofFamily.flatMap(({ ip, gateway }) => [
        `route replace default via ${gateway} dev eth${index} table ${table}`,
        `rule add from ${ip} table ${table} priority ${table}`,
      ]),
    ];
    await runTool("ip", [family, "-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
  }
}

interface DefaultRoute {
  readonly dev?: string;
  readonly gateway?: string;
}

/**
 * Plugins give each link a way out, and the last is taken. Where an earlier network has one, that of this link is only for
 * answers.
 */
export async function yieldWayOut(namespace: string, index: number, ips: readonly string[]): Promise<void> {
  const link = `eth${index}`;
  for (const family of ["-4", "-6"]) {
    const text = await runTool("ip", [family, "-n", namespace, "-j", "route", "show", "default"]);
    const routes = JSON.parse(text || "[]") as DefaultRoute[];
    const own = routes.filter(({ dev }) => dev === link);
    if (own.length === 0 || own.length === routes.length) continue;
    const [gateway] = own.flatMap((route) => route.gateway ?? []);
    const ofFamily = ips.filter((ip) => ip.includes(":") === (family === "-6"));
    if (gateway !== undefined) {
      const ways = ofFamily.map((ip) => ({ ip, gateway }));
      await leadBack(namespace, index, ways);
    }
    const lines = own.map((route) => `route del default${route.gateway ? ` via ${route.gateway}` : ""} dev ${link}`);
    await runTool("ip", [family, "-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
  }
}
