import { promises as fs, readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Socket {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly inode: string;
  /** Whether it speaks with one peer alone; never so for those of tcp that are read here. */
  readonly isConnected: boolean;
}

const tables = ["tcp", "tcp6", "udp", "udp6"] as const;
/** States of a socket that keep others from its port: LISTEN for tcp, any for udp. */
const tcpListen = "0A";
/** State of a udp socket that has a peer. */
const connected = "01";

/** Sockets that keep their local port: listening tcp ones, all udp ones; those of the network that a process is in. */
export async function readSockets(pid: number | "self" = "self"): Promise<Socket[]> {
  return (await readAll(pid)).filter(({ protocol, state }) => protocol === "udp" || state === tcpListen);
}

/** Who keeps others from binding a port: whoever listens on it, else the end of a connection from or to it. */
export async function holderOf(protocol: "tcp" | "udp", port: number): Promise<string | undefined> {
  const sockets = (await readAll("self")).filter((each) => each.protocol === protocol && each.port === port);
  const socket = sockets.find(({ state }) => state === tcpListen) ?? sockets[0];
  if (!socket) return undefined;
  // The kernel keeps it for a minute after both ends have closed it.
  if (socket.inode === "0") return "a connection that has just ended";
  return ownerOf(socket.inode) ?? "a process that this agent may not look into";
}

async function readAll(pid: number | "self"): Promise<(Socket & { readonly state: string })[]> {
  const sockets: (Socket & { readonly state: string })[] = [];
  for (const table of tables) {
    const text = await fs.readFile(`/proc/${pid}/net/${table}`, "latin1").catch(() => "");
    const protocol = table.startsWith("tcp") ? "tcp" : "udp";
    for (const line of text.split("\n").slice(1)) {
      const [, local = "", , state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
      const port = Number.parseInt(local.split(":").at(-1) ?? "", 16);
      if (port > 0) sockets.push({ protocol, port, inode, state, isConnected: state === connected });
    }
  }
  return sockets;
}

/** Who has a socket, for instance "pid 812 (nginx)"; only root sees the processes of others. O(open files of the host). */
export function ownerOf(inode: string): string | undefined {
  const wanted = `socket:[${inode}]`;
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        if (readLink(`/proc/${pid}/fd/${descriptor}`) !== wanted) continue;
        return `pid ${pid} (${readFileSync(`/proc/${pid}/comm`, "latin1").trim()})`;
      }
    } catch {
      // Ended meanwhile, or not ours to look into.
    }
  }
  return undefined;
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
