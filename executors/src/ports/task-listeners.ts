import { promises as fs, readlinkSync } from "node:fs";
import { isAlive } from "../shim/processes.ts";
import { parseStat } from "../stats/process-tree.ts";
import { readText } from "../stats/read-text.ts";
import type { HostTask, TaskListener } from "../world/host-ports.ts";
import { readSockets, type Socket } from "./proc-net.ts";

type Owner = Omit<TaskListener, "port" | "protocol">;

/**
 * What tasks listen on in the host's network. Whose a socket is does not change while it lives and the tasks are the same:
 * processes are looked through only when there is a socket or a task that was not there before, so that on a quiet host a
 * look costs the reading of four tables.
 */
export class TaskListeners {
  /** By inode of the socket; undefined: it is none of a task. */
  #owners = new Map<string, Owner | undefined>();
  #ids: ReadonlySet<string> = new Set();

  async find(tasks: readonly HostTask[]): Promise<TaskListener[]> {
    const sockets = await listeningSockets();
    const ids = new Set(tasks.map(({ id }) => id));
    const hasNewTask = tasks.some(({ id }) => !this.#ids.has(id));
    this.#ids = ids;
    const owners = new Map<string, Owner | undefined>();
    const unknown = new Set<string>();
    for (const { inode } of sockets) {
      const owner = this.#owners.get(inode);
      const isKnown = owner ? ids.has(owner.id) : this.#owners.has(inode) && !hasNewTask;
      owners.set(inode, isKnown ? owner : undefined);
      if (!isKnown) unknown.add(inode);
    }
    if (unknown.size > 0) await findOwners(tasks, unknown, owners);
    this.#owners = owners;
    return withOwners(sockets, owners);
  }
}

/** What tasks of one group listen on, in the network that they share. O(processes of the host). */
export async function findGroupListeners(tasks: readonly HostTask[]): Promise<TaskListener[]> {
  const first = tasks.find(({ started }) => isAlive(started.pid, started.startTicks));
  const sockets = first ? await listeningSockets(first.started.pid) : [];
  const owners = new Map<string, Owner | undefined>();
  await findOwners(tasks, new Set(sockets.map(({ inode }) => inode)), owners);
  return withOwners(sockets, owners);
}

function withOwners(sockets: readonly Socket[], owners: ReadonlyMap<string, Owner | undefined>): TaskListener[] {
  return sockets.flatMap(({ inode, port, protocol }) => {
    const owner = owners.get(inode);
    return owner ? [{ ...owner, port, protocol }] : [];
  });
}

/**
 * Sockets that wait for others to call: all listening ones of tcp, and those of udp that are bound to one port for
 * everybody. A udp socket in the range of outgoing connections was most likely given its port by the kernel, to ask
 * something, and is left out.
 */
async function listeningSockets(pid: number | "self" = "self"): Promise<Socket[]> {
  const range = (await readText("/proc/sys/net/ipv4/ip_local_port_range")) ?? "";
  const [low = 0, high = 0] = range.trim().split(/\s+/).map(Number);
  const sockets = await readSockets(pid);
  return sockets.filter(
    ({ protocol, port, isConnected }) => protocol === "tcp" || (!isConnected && (port < low || port > high)),
  );
}

/** O(processes of the host, and open files of tasks). */
async function findOwners(
  tasks: readonly HostTask[],
  unknown: Set<string>,
  owners: Map<string, Owner | undefined>,
): Promise<void> {
  const parents = await readParents();
  for (const [pid, id] of taskOfProcess(tasks, parents)) {
    let command: string | undefined;
    for (const inode of await socketsOf(pid)) {
      if (!unknown.delete(inode)) continue;
      command ??= ((await readText(`/proc/${pid}/comm`)) ?? "").trim();
      owners.set(inode, { id, pid, command });
    }
    if (unknown.size === 0) return;
  }
}

async function readParents(): Promise<Map<number, number>> {
  const parents = new Map<number, number>();
  for (const name of await fs.readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readText(`/proc/${name}/stat`);
    const stat = text === undefined ? undefined : parseStat(text);
    if (stat) parents.set(Number(name), stat.parent);
  }
  return parents;
}

/** The processes of the tasks: main ones, what descends from them, and what their shims have taken in. */
function taskOfProcess(tasks: readonly HostTask[], parents: ReadonlyMap<number, number>): Map<number, string> {
  const roots = new Map<number, string>();
  for (const { id, started } of tasks) {
    if (isAlive(started.shimPid, started.shimStartTicks)) roots.set(started.shimPid, id);
    if (isAlive(started.pid, started.startTicks)) roots.set(started.pid, id);
  }
  const found = new Map<number, string>();
  for (const pid of parents.keys()) {
    let at: number | undefined = pid;
    // No chain of parents is longer than there are processes, whatever was read while they changed.
    for (let steps = 0; at !== undefined && at > 1 && steps < parents.size; steps++) {
      const id = roots.get(at) ?? found.get(at);
      if (id !== undefined) {
        found.set(pid, id);
        break;
      }
      at = parents.get(at);
    }
  }
  return found;
}

/** Inodes of the sockets that a process has open; none if it has ended or is not ours to look into. */
async function socketsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await fs.readdir(folder).catch(() => []);
  return descriptors.flatMap((descriptor) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${descriptor}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
}
