import type { TaskFolders } from "../agent/folders.ts";

/** A place below a folder of the agent: the names from there on. None: the folder itself. */
export interface Place {
  readonly root: string;
  readonly names: readonly string[];
}

export const destinationDefault = "local/";
const pathBytesMax = 4_096;
const namesMax = 100;

/**
 * Where an artifact goes: below the task's folder, or, as "alloc/…", below what its group shares. Paths of containers
 * ("/local/x") and of the host (what NOMAD_TASK_DIR says of a plain process) mean the same. A text: why it can't be. Pure.
 */
export function placeOf(destination: string, { work, shared }: TaskFolders): Place | string {
  const path = destination === "" ? destinationDefault : destination;
  if (path.includes("\0") || Buffer.byteLength(path) > pathBytesMax) return "destination: is no path";
  const onHost = [shared, work].find((folder) => path === folder || path.startsWith(`${folder}/`));
  const inside = onHost === undefined ? path : path.slice(onHost.length);
  const names = inside.split("/").filter((name) => name !== "" && name !== ".");
  // Beside the task's own folder there is the one that its group shares.
  if (onHost === undefined && names[0] === ".." && names[1] === "alloc") names.shift();
  if (names.includes("..")) return `destination: "${destination}" leads out of the task's folder`;
  if (names.length > namesMax) return `destination: more than ${namesMax} folders within each other`;
  const isShared = onHost === shared || (onHost === undefined && names[0] === "alloc");
  if (!isShared) return { root: work, names };
  return { root: shared, names: onHost === shared ? names : names.slice(1) };
}
