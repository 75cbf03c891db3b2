import { lstatSync, readFileSync, type Stats } from "node:fs";
import { join } from "node:path";
import { type Account, accountIn } from "../shim/accounts.ts";

/** Bytes of an image's file of accounts or groups. */
const fileBytesMax = 1024 * 1024;
const nobodyId = 65_534;

/**
 * The account that a container from an image runs under: "USER" or "USER:GROUP", names or numbers, by the image's own
 * files. A number needs no entry there. Throws if a name has none.
 */
export function imageAccount(user: string, layers: readonly string[]): Account {
  const [name = "", group] = user.split(":");
  const files = { passwd: textOf("passwd", layers), group: textOf("group", layers) };
  const found = accountIn(name, files) ?? numbered(name);
  if (!found) throw new Error(`user ${name} is not known in its image`);
  if (group === undefined || group === "") return found;
  const gid = /^\d{1,10}$/.test(group) ? Number(group) : groupIn(group, files.group);
  if (gid === undefined) throw new Error(`group ${group} is not known in its image`);
  return { ...found, gid, groups: [gid] };
}

function numbered(name: string): Account | undefined {
  if (name === "root") return { uid: 0, gid: 0, groups: [0] };
  if (name === "nobody") return { uid: nobodyId, gid: nobodyId, groups: [nobodyId] };
  // As Docker has it: a number that nobody knows is of the group of root.
  return /^\d{1,10}$/.test(name) ? { uid: Number(name), gid: 0, groups: [0] } : undefined;
}

function groupIn(name: string, text: string): number | undefined {
  const line = text.split("\n").find((row) => row.startsWith(`${name}:`));
  const gid = line?.split(":")[2];
  return gid !== undefined && /^\d{1,10}$/.test(gid) ? Number(gid) : undefined;
}

/** A file of /etc as the layers together show it; empty if there is none, or if it is no plain file. */
function textOf(name: string, layers: readonly string[]): string {
  for (const layer of layers) {
    const opaque = readOpaque(layer);
    const etc = statOf(join(layer, "fs/etc"));
    if (etc && !etc.isDirectory()) return "";
    const file = etc && statOf(join(layer, "fs/etc", name));
    if (file)
      return file.isFile() && file.size <= fileBytesMax ? readFileSync(join(layer, "fs/etc", name), "utf8") : "";
    if (opaque.some((folder) => folder === "/" || folder === "/etc")) return "";
  }
  return "";
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** The folders of a layer that hide what is below, as far as it matters here. */
function readOpaque(layer: string): readonly string[] {
  return (JSON.parse(readFileSync(join(layer, "record"), "utf8")) as { opaque: string[] }).opaque;
}
