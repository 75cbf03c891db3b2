import { type AssignedPort, type PortRequest, StatusReason, TaskState } from "@muster/proto";
import { takeAddress } from "../../networks/address-pool.ts";
import { findNetwork } from "../../networks/networks.ts";
import { takeDynamicPort, takePort } from "../../ports/allocator.ts";
import type { DiskFailure } from "../../world/disk.ts";
import type { PortHolder } from "../../world/host-ports.ts";
import type { ImageReady } from "../../world/images.ts";
import type { NetReady } from "../../world/nets.ts";
import { procId } from "./attempts.ts";
import { isServed } from "./executor-model.ts";
import { bindGroup, giveGroup, livingExecutor } from "./executor-tasks.ts";
import { closeGroup, giveBack } from "./group-end.ts";
import { addGroup } from "./groups.ts";
import { hostAddress } from "./host-networks.ts";
import { awaitsImage } from "./image-wish.ts";
import { takeImage } from "./images.ts";
import { dropped, duplicateRefusal, livingTask, type Refusal, whyNot } from "./launch-refusal.ts";
import type { AgentState, Group, LaunchRequest, Task } from "./model.ts";
import { pairKey } from "./model.ts";
import { netSpec } from "./net.ts";
import { networkOf, poolOf, takeSubnets } from "./overlays.ts";
import { hostPorts, modesText, placesOf } from "./places.ts";
import { awaitsVolume } from "./set-aside/operations.ts";
import { type Context, report, sendHead } from "./status.ts";
import { needsNets } from "./task-networks.ts";
import { advance } from "./turns.ts";

/** How often dynamic ports are chosen anew when the kernel has those that were chosen. */
export const portChoicesMax = 64;

/** Begins a launch. A launch that is known already is answered with where it stands. */
export function launch(context: Context, request: LaunchRequest): void {
  const { state } = context;
  const known = state.launches.get(pairKey(request.frameworkId, request.launchId));
  if (known !== undefined) {
    for (const task of state.groups.get(known)?.tasks ?? []) repeatHead(context, task);
    return;
  }
  if (awaitsVolume(context, request)) {
    state.setAside.waiting.push(request);
    return;
  }
  const duplicate = request.tasks.map(({ info }) => livingTask(state, request.frameworkId, info.taskId)).find(Boolean);
  const group = addGroup(context, request);
  const refusal = duplicate ? duplicateRefusal(duplicate) : whyNot(state, group, request);
  if (!refusal && isServed(group)) bindGroup(state, group, livingExecutor(state, group.frameworkId, executorId(group)));
  if (refusal) refuse(context, group, refusal);
  else if (!group.tasks.some((task) => killedAhead(context, task))) choosePorts(context, group);
}

/** Launches that waited for a volume, once it is there or can't be made. */
export function launchWaiting(context: Context): void {
  const { setAside } = context.state;
  const { waiting } = setAside;
  setAside.waiting = [];
  for (const request of waiting) launch(context, request);
}

function executorId({ executor }: Group): string {
  return executor?.id ?? "";
}

function killedAhead(context: Context, task: Task): boolean {
  const { state } = context;
  const name = pairKey(task.group.frameworkId, task.info.taskId);
  const kill = state.killsAhead.get(name);
  if (!kill) return false;
  state.killsAhead.delete(name);
  if (kill.untilMs <= context.now.monotonicMs) return false;
  refuse(context, task.group, {
    state: TaskState.TASK_KILLED,
    reason: StatusReason.REASON_KILLED_DURING_LAUNCH,
    message: "the kill came before the launch",
  });
  return true;
}

function repeatHead(context: Context, task: Task): void {
  const head = task.queue[0];
  if (!head) return;
  head.resendAtMs = undefined;
  sendHead(context, task);
}

/** Ends a group that was never started. */
export function refuse(context: Context, group: Group, refusal: Refusal): void {
  group.phase = "refused";
  giveBack(context, group);
  const { culprit } = refusal;
  for (const [index, task] of group.tasks.entries()) {
    if (culprit === undefined || culprit === index) report(context, task, refusal.state, refusal);
    else {
      const message = `task ${group.tasks[culprit]?.info.taskId} of its group: ${refusal.message}`;
      report(context, task, TaskState.TASK_ERROR, { reason: StatusReason.REASON_TASK_GROUP_INVALID, message });
    }
  }
}

/** Takes what the group asks for from our own books, then asks the kernel. */
function choosePorts(context: Context, group: Group): void {
  // In a network where its ports are its own there is nobody to clash with.
  const requests = hostPorts(group);
  if (requests.length === 0) {
    recordLaunch(context, group);
    return;
  }
  group.assigned = [];
  for (const request of requests) {
    const port = takeOne(context, group, request);
    if (typeof port !== "number") {
      refuse(context, group, port);
      return;
    }
    group.assigned.push(assignedPort(context.state, request, port));
  }
  const questions = group.assigned.map((port) => ({
    port: port.number,
    protocol: port.protocol,
    ip: addressOf(port),
  }));
  context.effects.push({ type: "check-ports", key: group.key, questions });
}

/** The one address that a port is open on; "": every one. */
export function addressOf({ hostNetwork, ip }: AssignedPort): string {
  return hostNetwork === undefined ? "" : ip;
}

function takeOne({ state, now }: Context, group: Group, request: PortRequest): number | Refusal {
  const ip = hostAddress(state, request) ?? "";
  if (request.number > 0) {
    const holder = takePort(state.ports, request.number, request.protocol, group.key, ip);
    if (holder === undefined) return request.number;
    const names = state.groups.get(holder)?.tasks.map((task) => task.info.taskId) ?? [];
    return dropped(
      StatusReason.REASON_PORT_IN_USE,
      `PORT_IN_USE: port ${request.number} is held by ${names.join(", ") || holder}`,
    );
  }
  const port = takeDynamicPort(state.ports, group.key, state.random, now.monotonicMs, group.refusedPorts, ip);
  return port ?? dropped(StatusReason.REASON_RESOURCES_MISSING, "no port of the agent's range is free");
}

function assignedPort(state: AgentState, request: PortRequest, port: number): AssignedPort {
  const { label, to, protocol, hostNetwork } = request;
  const ip = hostAddress(state, request) || state.config.ip;
  const place = hostNetwork === "" ? { ip } : { ip, hostNetwork };
  return { label, number: port, to: to === 0 ? port : to, protocol, ...place, ...networkOf(request) };
}

/** The kernel has answered: the launch goes on, with other dynamic ports if need be. */
export function portsChecked(context: Context, key: string, taken: readonly PortHolder[]): void {
  const group = context.state.groups.get(key);
  if (group?.phase !== "ports") return;
  if (group.tasks.every((task) => task.phase === "ended")) return;
  if (taken.length === 0) {
    recordLaunch(context, group);
    return;
  }
  for (const { port } of taken) group.refusedPorts.add(port);
  const fixed = taken.find(({ port }) => group.ports.some((request) => request.number === port));
  if (fixed || group.refusedPorts.size > portChoicesMax) {
    const { port, holder } = fixed ?? (taken[0] as PortHolder);
    const message = `PORT_IN_USE: port ${port} is held by ${holder}`;
    refuse(context, group, dropped(StatusReason.REASON_PORT_IN_USE, message));
    return;
  }
  giveBack(context, group);
  group.released = false;
  choosePorts(context, group);
}

/** All that the group is to have is known: it is written down before anything of it is made. */
function recordLaunch(context: Context, group: Group): void {
  for (const place of placesOf(group)) {
    if (!findNetwork(place.mode)?.takesAddress) continue;
    const pool = poolOf(context.state, place);
    const index = pool && takeAddress(pool, group.key);
    if (index === undefined) {
      const message = `none of the agent's ${pool?.count ?? 0} addresses for tasks is free; stop tasks, or give it a larger subnet`;
      refuse(context, group, dropped(StatusReason.REASON_RESOURCES_MISSING, message));
      return;
    }
    place.addressIndex = index;
    takeSubnets(context.state, group, place);
  }
  if (group.more.length > 0) {
    // As they were asked for, whichever network they are in.
    const order = new Map(group.ports.map(({ label }, at) => [label, at]));
    group.assigned.sort((one, other) => (order.get(one.label) ?? 0) - (order.get(other.label) ?? 0));
  }
  group.phase = "intent";
  context.effects.push({ type: "persist-intent", key: group.key, purpose: { type: "launch", key: group.key } });
  // In the same commit: a started group without a status would leave its framework in the dark about its ports.
  for (const task of group.tasks) report(context, task, TaskState.TASK_STARTING);
}

/** The intent outlives a crash: from here on the group may be started. */
export function intentDurable(context: Context, key: string): void {
  const group = context.state.groups.get(key);
  if (group?.phase !== "intent") return;
  // Killed while its record was written.
  if (group.tasks.every((task) => task.phase === "ended")) return;
  // All are asked for before one is waited for.
  const waiting = group.tasks.filter((task) => awaitsImage(context, task));
  if (waiting.length > 0) group.phase = "images";
  else connect(context, group);
}

/** An image is there: its group goes on when it was the last; a task of a group that was begun before a restart at once. */
export function imageReady(context: Context, id: string, ready: ImageReady): void {
  const task = takeImage(context, id, ready);
  if (!task) return;
  const { group } = task;
  if (group.phase === "launched") advance(context, group);
  else if (group.phase === "images" && group.tasks.every(({ image }) => image.name !== "preparing"))
    connect(context, group);
}

/** Gives a group its network, and then its tasks their beginning. */
function connect(context: Context, group: Group): void {
  if (needsNets(group)) {
    group.phase = "network";
    buildNet(context, group);
  } else spawnAll(context, group);
}

export function buildNet(context: Context, group: Group): void {
  group.net = { name: "building" };
  context.effects.push({ type: "build-net", spec: netSpec(group) });
}

/** The group's network is there: its tasks are started, or after a restart looked for. */
export function netReady(context: Context, key: string, ready: NetReady): void {
  const group = context.state.groups.get(key);
  if (group?.net.name !== "building") return;
  group.net = { name: "ready", ...ready };
  if (group.phase === "network") spawnAll(context, group);
  else adoptAll(context, group);
}

export function netFailed(context: Context, key: string, message: string): void {
  const group = context.state.groups.get(key);
  if (group?.net.name !== "building") return;
  if (group.phase === "network") {
    group.net = { name: "gone" };
    const news = { reason: StatusReason.REASON_LAUNCH_FAILED, message: `network ${modesText(group)}: ${message}` };
    for (const task of group.tasks) report(context, task, TaskState.TASK_FAILED, news);
    closeGroup(context, group);
  } else {
    // What runs may still be of use, and says itself how it ends.
    group.net = { name: "broken", reason: message };
    adoptAll(context, group);
  }
}

function spawnAll(context: Context, group: Group): void {
  if (isServed(group)) {
    giveGroup(context, group);
    return;
  }
  group.phase = "launched";
  advance(context, group);
}

export function adoptAll(context: Context, group: Group): void {
  // What an executor has of it, that one tells when it attaches.
  if (isServed(group)) return;
  for (const task of group.tasks)
    if (task.phase === "starting") context.effects.push({ type: "adopt", id: procId(task), bootId: task.bootId });
}

export function intentNotDurable(context: Context, key: string, failure: DiskFailure): void {
  const group = context.state.groups.get(key);
  if (group?.phase !== "intent") return;
  for (const task of group.tasks) {
    task.queue = [];
    task.sequence = 0;
    if (task.phase === "ended") task.phase = "preparing";
  }
  refuse(context, group, dropped(StatusReason.REASON_DISK, `the launch could not be recorded: ${failure.message}`));
  context.effects.push({ type: "forget", group });
}
