import { readdirSync, readFileSync } from "node:fs";
import { runTool } from "../kernel/run-tool.ts";

interface LinkInside {
  readonly ifindex: number;
  readonly link_index?: number;
  readonly linkinfo?: { readonly info_kind?: string };
}

/**
 * The host's end of a link that plugins have made: they name it as they like, or don't tell. Throws where there is none, as
 * with macvlan, or where it hangs in another namespace.
 */
export async function findHostEnd(namespace: string, link: string): Promise<string> {
  const text = await runTool("ip", ["-n", namespace, "-j", "-d", "link", "show", "dev", link]);
  const [inside] = JSON.parse(text) as LinkInside[];
  const { ifindex, link_index: peer, linkinfo } = inside ?? {};
  const isPair = linkinfo?.info_kind === "veth" && peer !== undefined;
  const found = isPair
    ? readdirSync("/sys/class/net").find(
        (name) => numberOf(name, "ifindex") === peer && numberOf(name, "iflink") === ifindex,
      )
    : undefined;
  if (found !== undefined) return found;
  throw new Error(
    `${link} has no end on the host where limits could be kept: leave them out, or use plugins that make veth`,
  );
}

function numberOf(name: string, what: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/${what}`, "utf8"));
  } catch {
    return undefined;
  }
}
