import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface PortOwner {
  readonly pid: number;
  /** Its command line, cut. */
  readonly command: string;
}

const commandLengthMax = 80;
/** State of a TCP socket that listens, in /proc/net/tcp. */
const listening = "0A";

/** Local addresses, as /proc writes them, that stand in the way of 127.0.0.1: itself, any, and both within IPv6. */
const conflicting: ReadonlySet<string> = new Set([
  "0100007F",
  "00000000",
  "0".repeat(32),
  "0000000000000000FFFF00000100007F",
]);

/** Whether a port is taken for 127.0.0.1, and by whom if that may be known. Reads /proc; nothing is opened. */
export function findPortOwner(port: number, udp: boolean): { owner: PortOwner | undefined } | undefined {
  const inodes = inodesOfPort(port, udp);
  if (inodes.size === 0) return undefined;
  return { owner: ownerOf(inodes) };
}

/** Inodes of the sockets on a port, of one table such as /proc/net/tcp. */
export function readSockets(table: string, port: number, onlyListening: boolean): string[] {
  const inodes: string[] = [];
  for (const line of table.split("\n").slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [, local = "", , state = ""] = columns;
    const [address = "", number = ""] = local.split(":");
    if (Number.parseInt(number, 16) !== port || !conflicting.has(address)) continue;
    if (!onlyListening || state === listening) inodes.push(columns[9] ?? "");
  }
  return inodes;
}

function inodesOfPort(port: number, udp: boolean): Set<string> {
  const inodes = new Set<string>();
  for (const name of udp ? ["udp", "udp6"] : ["tcp", "tcp6"]) {
    for (const inode of readSockets(readText(`/proc/net/${name}`), port, !udp)) inodes.add(inode);
  }
  return inodes;
}

function ownerOf(inodes: ReadonlySet<string>): PortOwner | undefined {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    let files: string[];
    try {
      files = readdirSync(`/proc/${pid}/fd`);
    } catch {
      // It has ended, or it is somebody else's.
      continue;
    }
    for (const file of files) {
      const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${file}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) return { pid: Number(pid), command: commandOf(pid) };
    }
  }
  return undefined;
}

function commandOf(pid: string): string {
  const text = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  return text.length > commandLengthMax ? `${text.slice(0, commandLengthMax)}…` : text;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
