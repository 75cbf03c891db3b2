import { TaskState } from "@muster/framework-sdk";
import { newInstance, newTasks } from "./instances.ts";
import { type Instance, type InstancePhase, isOver, type TaskProgress } from "./model.ts";

/** Of a run on every agent so many failures are kept with their reasons, each so long. */
const reasonsKeptMax = 200;
const reasonLengthMax = 100;

/** Instances as State keeps them: of those that belong to agents there may be a thousand in one record. */
export interface InstancesRecord {
  readonly instances: readonly Omit<Instance, "inQuestion" | "recordedAt">[];
  readonly pinned?: readonly (EndedRecord | PinnedRecord)[];
}

/**
 * An instance that has ended on its agent: group, index, launch, attempt, phase, agent, its name, start, exit codes of
 * its tasks (null: none) and reason.
 */
type EndedRecord = readonly [
  number,
  number,
  number,
  number,
  InstancePhase,
  string,
  string,
  number,
  readonly (number | null)[],
  string,
];

/** One that has not: what is not as it was made. */
type PinnedRecord = Pick<Instance, "groupIndex" | "index"> &
  Partial<Omit<Instance, "tasks">> & { readonly tasks: readonly Partial<TaskProgress>[] };

export function instancesRecord(all: readonly Instance[]): InstancesRecord {
  const instances: InstancesRecord["instances"][number][] = [];
  const pinned: (EndedRecord | PinnedRecord)[] = [];
  let reasonCount = 0;
  for (const { inQuestion: _, recordedAt: __, ...kept } of all) {
    if (!kept.isPinned) instances.push(kept);
    else if (isOver(kept)) pinned.push(endedRecord(kept, kept.reason !== "" && reasonCount++ < reasonsKeptMax));
    else pinned.push(pinnedRecord(kept));
  }
  return pinned.length === 0 ? { instances } : { instances, pinned };
}

export function readInstances({ instances, pinned = [] }: InstancesRecord): Instance[] {
  return [
    ...instances.map((kept): Instance => ({ ...kept, inQuestion: false, recordedAt: 0 })),
    ...pinned.map((kept) => (isEnded(kept) ? readEnded(kept) : readPinned(kept))),
  ];
}

function endedRecord(instance: InstancesRecord["instances"][number], hasReason: boolean): EndedRecord {
  const { groupIndex, index, launch, attempt, phase, agentId, agentName, tasks, reason } = instance;
  const codes = tasks.map(({ exitCode }) => exitCode ?? null);
  const told = hasReason ? reason.slice(0, reasonLengthMax) : "";
  return [groupIndex, index, launch, attempt, phase, agentId, agentName, tasks[0]?.startedAt ?? 0, codes, told];
}

function isEnded(record: EndedRecord | PinnedRecord): record is EndedRecord {
  return Array.isArray(record);
}

function readEnded(record: EndedRecord): Instance {
  const [groupIndex, index, launch, attempt, phase, agentId, agentName, startedAt, codes, reason] = record;
  const instance = newInstance(groupIndex, index, codes.length);
  const state = phase === "succeeded" ? TaskState.TASK_FINISHED : TaskState.TASK_FAILED;
  Object.assign(instance, { launch, attempt, phase, agentId, agentName, reason, isPinned: true });
  for (const [ordinal, task] of instance.tasks.entries())
    Object.assign(task, { startedAt, state, exitCode: codes[ordinal] ?? undefined });
  return instance;
}

function pinnedRecord({ tasks, ...instance }: InstancesRecord["instances"][number]): PinnedRecord {
  const { tasks: fresh, ...made } = newInstance(instance.groupIndex, instance.index, tasks.length);
  const { groupIndex, index } = instance;
  return {
    ...{ groupIndex, index, ...changed(instance, made) },
    tasks: tasks.map((task, ordinal) => changed(task, fresh[ordinal] ?? {})),
  };
}

function readPinned({ tasks, ...kept }: PinnedRecord): Instance {
  const fresh = newTasks(tasks.length);
  return {
    ...newInstance(kept.groupIndex, kept.index, 0),
    ...kept,
    tasks: fresh.map((task, ordinal) => ({ ...task, ...tasks[ordinal] })),
  };
}

/** What of a record is not as in another. */
function changed<T extends object>(record: T, other: Partial<T>): Partial<T> {
  const names = Object.keys(record) as (keyof T)[];
  return Object.fromEntries(
    names.filter((name) => record[name] !== other[name]).map((name) => [name, record[name]]),
  ) as Partial<T>;
}
