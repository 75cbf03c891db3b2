import type { Unavailable } from "@muster/proto";
import { runTool } from "../../networks/kernel/run-tool.ts";

export interface NetworkModes {
  /** Those that work here. */
  readonly modes: readonly string[];
  /** The others, with the reason and what would mend it. */
  readonly unavailable: readonly Unavailable[];
}

/** Finds out what networks can be made, by making one. */
export async function findNetworkModes(): Promise<NetworkModes> {
  const fault = await namespaceFault();
  const lacking = ["bridge", "overlay", "cni"].map((name) => ({
    name: `network/${name}`,
    reason: `this version of the agent lacks it; use ${fault === undefined ? "none or host" : "host"}`,
  }));
  if (fault === undefined) return { modes: ["host", "none"], unavailable: lacking };
  return { modes: ["host"], unavailable: [{ name: "network/none", reason: fault }, ...lacking] };
}

/** Why no network namespaces can be made; undefined if they can. */
async function namespaceFault(): Promise<string | undefined> {
  if (process.platform !== "linux") return "agents run on Linux only";
  if (process.getuid?.() !== 0) return "the agent is not root: run it with sudo";
  const name = `muster-probe-${process.pid}`;
  try {
    await runTool("ip", ["netns", "add", name]);
    await runTool("ip", ["netns", "del", name]);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    return message.includes("ENOENT") ? "ip was not found: apt-get install iproute2" : message;
  }
}
