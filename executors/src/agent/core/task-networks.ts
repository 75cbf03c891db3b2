import { findNetwork } from "../../networks/networks.ts";
import type { Group, Task } from "./model.ts";

const joinPrefix = "container:";

/** The task whose network another one has: itself, if it has one of its own. Undefined: it has that of its group. */
export function networkOwner(task: Task): Task | undefined {
  let owner: Task | undefined = task;
  // A chain is no longer than the group: what goes round was refused.
  for (let steps = 0; owner && steps <= task.group.tasks.length; steps++) {
    const { networkMode } = owner.spec;
    if (networkMode === "") return undefined;
    if (!networkMode.startsWith(joinPrefix)) return owner;
    owner = taskNamed(task.group, networkMode.slice(joinPrefix.length));
  }
  return undefined;
}

function taskNamed({ tasks }: Group, name: string): Task | undefined {
  return tasks.find(({ info }) => info.name === name);
}

/** Indexes of the tasks of a group that have networks of their own. */
export function networkOwners({ tasks }: Group): number[] {
  return tasks.flatMap(({ spec }, index) => (spec.networkMode === "none" ? [index] : []));
}

/** Whether anything is to be made for a group's networks. */
export function needsNets(group: Group): boolean {
  return findNetwork(group.networkMode)?.hasNamespace === true || networkOwners(group).length > 0;
}

/** Whether a task is in a network namespace, its group's or another. */
export function hasNamespace(task: Task): boolean {
  return networkOwner(task) !== undefined || findNetwork(task.group.networkMode)?.hasNamespace === true;
}

/** Path of the namespace that a task is in; undefined: it is in the host's, or there is none yet. */
export function namespaceOf(task: Task): string | undefined {
  const { net, tasks } = task.group;
  if (net.name !== "ready") return undefined;
  const owner = networkOwner(task);
  if (!owner) return net.namespace || undefined;
  return net.apart?.find(({ index }) => index === tasks.indexOf(owner))?.namespace;
}

/** Named tasks of one group, as far as their networks are concerned. */
export interface NetworkWish {
  readonly name: string;
  readonly networkMode: string;
}

/** What is wrong with the own networks of the tasks of a group: the index of the first, and why. Undefined: nothing. */
export function problemOfTaskNetworks(tasks: readonly NetworkWish[]): { index: number; problem: string } | undefined {
  for (const [index, { networkMode }] of tasks.entries()) {
    const problem = problemOfMode(tasks, index, networkMode);
    if (problem !== "") return { index, problem: `spec.network_mode: ${problem}` };
  }
  return undefined;
}

function problemOfMode(tasks: readonly NetworkWish[], index: number, mode: string): string {
  if (mode === "" || mode === "none") return "";
  if (!mode.startsWith(joinPrefix)) return `"${mode}" must be none, container:NAME or empty`;
  const seen = new Set([index]);
  for (let at = index; ; ) {
    const wanted = tasks[at]?.networkMode ?? "";
    if (!wanted.startsWith(joinPrefix)) return "";
    const name = wanted.slice(joinPrefix.length);
    const found = tasks.flatMap((task, other) => (task.name === name ? [other] : []));
    const [next] = found;
    if (next === undefined) return `its group has no task "${name}"`;
    if (found.length > 1) return `its group has several tasks "${name}"`;
    if (seen.has(next)) return `${mode} leads back to where it began`;
    seen.add(next);
    at = next;
  }
}
