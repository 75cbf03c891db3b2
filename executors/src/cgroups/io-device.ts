import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type CgroupLayout, readLayout } from "./layout.ts";

/** A whole disk: of parts of one the kernel keeps no limits. */
export interface IoDevice {
  readonly major: number;
  readonly minor: number;
  /** For instance "/dev/vda". */
  readonly path: string;
}

export type FoundIoDevice =
  | { readonly works: true; readonly device: IoDevice }
  | { readonly works: false; readonly reason: string };

/** The disk that a folder lies on, if the kernel can limit what a task reads from it and writes to it. */
export function findIoDevice(folder: string, layout: CgroupLayout = readLayout()): FoundIoDevice {
  const controller = layout.name === "v2" ? "io" : "blkio";
  if (!layout.hierarchies.some(({ controllers }) => controllers.includes(controller)))
    return no(`cgroups lack the controller ${controller}: enable it on the kernel's command line`);
  const { dev } = statSync(folder);
  // As the kernel's library puts the two numbers together.
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const own = realOf(`/sys/dev/block/${major}:${minor}`);
  if (own === undefined)
    return no(`${folder} lies on no disk of its own, as with btrfs, zfs, tmpfs or a network's files`);
  const disk = read(`${own}/partition`) === "" ? own : dirname(own);
  const numbers = /^(\d+):(\d+)$/m.exec(read(`${disk}/dev`));
  if (!numbers) return no(`the disk of ${folder} has no number`);
  return {
    works: true,
    device: {
      major: Number(numbers[1]),
      minor: Number(numbers[2]),
      path: `/dev/${basename(disk).replaceAll("!", "/")}`,
    },
  };
}

function no(reason: string): FoundIoDevice {
  return { works: false, reason };
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
