import { findDriver } from "../../drivers/drivers.ts";
import { restoreAddresses, takeThisAddress } from "../../networks/address-pool.ts";
import { takePort } from "../../ports/allocator.ts";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { endOrphans } from "./executor-end.ts";
import { isServed } from "./executor-model.ts";
import { bindGroup } from "./executor-tasks.ts";
import { indexGroup, newTask } from "./groups.ts";
import { addressOf, adoptAll, buildNet } from "./launch.ts";
import {
  type FoundGroup,
  type Group,
  type Kill,
  type Now,
  plainNetwork,
  type StateRecord,
  type Task,
} from "./model.ts";
import { netSpec } from "./net.ts";
import { releasedAddresses } from "./overlays.ts";
import { placesOf } from "./places.ts";
import { restartDelayMsMax } from "./restart.ts";
import { type Context, resendDelayMsFirst } from "./status.ts";
import { needsNets } from "./task-networks.ts";

/**
 * Takes up what an earlier life of the agent has left on its disk. Tasks that had not ended are looked for by `adopt`.
 * O(tasks).
 */
export function recover(context: Context, found: readonly FoundGroup[]): void {
  const { state } = context;
  const open: Group[] = [];
  const states = new Map<Group, FoundGroup["states"]>();
  for (const one of found) {
    const group = rebuildGroup(context, one);
    if (!group) continue;
    states.set(group, one.states);
    indexGroup(state, group);
    if (group.tasks.every((task) => task.phase === "ended")) {
      group.released = true;
      continue;
    }
    open.push(group);
    for (const port of group.assigned)
      if (port.number > 0) takePort(state.ports, port.number, port.protocol, group.key, addressOf(port));
    // Addresses of overlay networks are taken when the master has told whose they are.
    for (const { subnets, addressIndex } of placesOf(group))
      if (subnets.length === 0) takeThisAddress(state.addresses, addressIndex, group.key);
    for (const task of group.tasks) {
      if (task.phase === "ended") continue;
      task.phase = "starting";
      // What ran under a damaged record is not known: it may have had one.
      if (isServed(group)) continue;
      if (group.damaged || findDriver(task.spec.driver)?.image) task.image = { name: "kept" };
    }
  }
  restoreAddresses(state.addresses, releasedAddresses(state, "", []));
  for (const group of open) if (isServed(group)) rebind(context, group, states.get(group));
  const withImages = open.flatMap(({ tasks }) => tasks.filter(({ image }) => image.name === "kept"));
  context.effects.push({ type: "keep-images", ids: withImages.map(({ id }) => id) });
  const specs = open.filter(needsNets).map(netSpec);
  context.effects.push({ type: "keep-nets", specs });
  for (const group of open)
    if (needsNets(group)) buildNet(context, group);
    else adoptAll(context, group);
}

/** Finds the executor that a group was given to. Without it nothing of the group can live. */
function rebind(context: Context, group: Group, states: FoundGroup["states"] | undefined): void {
  const { state } = context;
  if (bindGroup(state, group, state.tasks.get(group.executor?.selfId ?? ""))) {
    for (const [index, { served }] of group.tasks.entries()) {
      if (!served) continue;
      served.isGiven = true;
      served.sequence = states?.get(index)?.executorSequence ?? 0;
    }
    return;
  }
  const living = group.tasks.filter(({ phase }) => phase !== "ended");
  endOrphans(context, living, group.executor?.id ?? "");
}

function rebuildGroup(context: Context, found: FoundGroup): Group | undefined {
  const { key, intent, states } = found;
  const identity = intent ?? states.values().next().value;
  if (!identity) return undefined;
  const group: Group = {
    key,
    launchId: identity.launchId,
    predecessorLaunchId: intent?.predecessorLaunchId ?? "",
    predecessorPlace: intent?.predecessorPlace,
    heritage: "none",
    filesToken: intent?.filesToken ?? "",
    frameworkId: identity.frameworkId,
    frameworkName: intent?.frameworkName ?? "",
    role: intent?.role ?? "",
    networkMode: intent?.networkMode ?? "host",
    network: intent?.network ?? plainNetwork,
    ports: intent?.ports ?? [],
    assigned: [...(intent?.assigned ?? [])],
    addressIndex: intent?.addressIndex ?? 0,
    subnets: intent?.subnets ?? [],
    more: (intent?.more ?? []).map((place) => ({ ...place })),
    net: { name: "host" },
    phase: "launched",
    tasks: [],
    executor: intent?.executor && { ...intent.executor },
    reserved: intent?.reserved ?? [],
    volumes: intent?.volumes ?? [],
    refusedPorts: new Set(),
    damaged: intent === undefined,
    released: false,
  };
  if (intent) {
    for (const [index, { info, spec }] of intent.tasks.entries()) {
      const task = newTask(
        group,
        `${key}.${index}`,
        { ...info, spec: emptyTaskInfo.spec },
        { ...emptySpec(), ...spec },
      );
      task.bootId = intent.bootId;
      applyState(context, task, states.get(index));
      group.tasks.push(task);
    }
  } else {
    for (const [index, record] of states) {
      const task = newTask(group, `${key}.${index}`, { ...emptyTaskInfo, taskId: record.taskId }, emptySpec());
      applyState(context, task, record);
      group.tasks.push(task);
    }
  }
  // What was moved before the restart is not where it was, and what was copied in part begins anew: to ask again does no harm
  // as long as nothing has started.
  if (
    group.predecessorLaunchId !== "" &&
    group.tasks.every(({ phase, attempt }) => phase === "preparing" && attempt === 0)
  )
    group.heritage = "wanted";
  return group;
}

/** The first signal is sent again, when its time has come; a clock that was set back makes it no later than planned at first. */
function killOf(kill: NonNullable<StateRecord["kill"]>, now: Now): Kill {
  const { reason, message, graceMs, delayMs = 0, signalAt } = kill;
  const waitMs = Math.min(Math.max(0, (signalAt ?? 0) - now.epochMs), delayMs);
  const signal =
    typeof signalAt === "number" ? { atMs: now.monotonicMs + waitMs, at: now.epochMs + waitMs } : undefined;
  return { reason, message, graceMs, delayMs, signal, deadlineMs: undefined, forced: false };
}

/** A clock that was set back while the agent was away starts the wait anew, at most. */
function nextTry(task: Task, at: number, now: Now): Task["nextTry"] {
  const policy = task.spec.restartPolicy;
  const waitMs = Math.min(Math.max(0, at - now.epochMs), policy ? restartDelayMsMax(policy) : 0);
  return { atMs: now.monotonicMs + waitMs, at: now.epochMs + waitMs };
}

function applyState({ now }: Context, task: Task, record: StateRecord | undefined): void {
  if (!record) {
    // How many statuses there were is not known: counting on from the seconds is higher than they can have been.
    task.sequence = Math.floor(now.epochMs / 1_000);
    return;
  }
  task.bootId = record.bootId;
  task.phase = record.phase;
  task.started = record.started ?? undefined;
  task.attempt = record.attempt ?? 0;
  task.restartWindow = record.restartWindow ?? undefined;
  if (typeof record.nextTryAt === "number") task.nextTry = nextTry(task, record.nextTryAt, now);
  for (const [index, digest] of (record.templates ?? []).entries()) {
    const part = task.templates?.parts[index];
    if (part) part.applied = digest;
  }
  task.memoryKills = record.memoryKills ?? 0;
  if (record.hasArtifacts) task.artifacts = "ready";
  task.sequence = record.sequence;
  task.latest = record.latest ?? undefined;
  task.durable = task.latest;
  task.health = record.health;
  task.endsAt = record.endsAt ?? undefined;
  task.acknowledgedAt = record.acknowledgedAt ?? undefined;
  if (task.executor) task.executor.hasAttached = record.hasAttached ?? false;
  if (record.kill) task.kill = killOf(record.kill, now);
  task.queue = record.queue.map((status) => ({
    status,
    durable: true,
    resendAtMs: undefined,
    delayMs: resendDelayMsFirst,
  }));
}

function killRecord({ reason, message, graceMs, delayMs, signal }: Kill): StateRecord["kill"] {
  return { reason, message, graceMs, delayMs, signalAt: signal?.at ?? null };
}

/** The state of a task as it is written. */
export function stateRecord(task: Task): StateRecord {
  const { kill } = task;
  return {
    launchId: task.group.launchId,
    frameworkId: task.group.frameworkId,
    taskId: task.info.taskId,
    bootId: task.bootId,
    phase: task.phase,
    started: task.started ?? null,
    attempt: task.attempt,
    restartWindow: task.restartWindow ?? null,
    nextTryAt: task.nextTry?.at ?? null,
    ...(task.templates ? { templates: task.templates.parts.map(({ applied }) => applied) } : {}),
    memoryKills: task.memoryKills,
    ...(task.artifacts === "ready" ? { hasArtifacts: true } : {}),
    sequence: task.sequence,
    queue: task.queue.map(({ status }) => status),
    latest: task.latest ?? null,
    kill: kill ? killRecord(kill) : null,
    health: task.health,
    endsAt: task.endsAt ?? null,
    acknowledgedAt: task.acknowledgedAt ?? null,
    ...(task.executor ? { hasAttached: task.executor.hasAttached } : {}),
    ...(task.served ? { executorSequence: task.served.sequence } : {}),
  };
}
