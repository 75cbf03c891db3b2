import {
  AgentRefusals,
  codecOf,
  createScheduler,
  emptyMessage,
  isTerminal,
  type Runtime,
  randomText,
  resources,
  type Scheduler,
  type TaskGroup,
  TaskState,
} from "@muster/framework-sdk";
import { masterAddress } from "@muster/testing";

export interface ImportantTasks {
  readonly name: string;
  readonly role: string;
  readonly priority: number;
  /** How many of its tasks are to live, at each moment. */
  readonly wanted: (nowMs: number) => number;
  /** How many of them may be missing at once. */
  readonly preemptedMax: number;
}

/** What one task takes. */
export const taskCpuMillis = 500;
const lookMs = 1_000;

/** A framework that keeps so many tasks of one priority alive, whatever becomes of them, by saying how many it lacks. */
export function importantTasks(runtime: Runtime, config: ImportantTasks): void {
  const { name, role, priority, preemptedMax } = config;
  const random = runtime.random.stream(`important-${name}`);
  const alive = new Set<string>();
  const agentRefusals = new AgentRefusals();
  const shape = resources({ cpuMillis: taskCpuMillis, memoryMiB: 64 });
  let told = -1;
  let isKnown = false;
  const groupOf = (taskId: string): TaskGroup => ({
    ...emptyMessage("TaskGroup"),
    launchId: `l-${taskId}`,
    tasks: [
      {
        ...emptyMessage("TaskInfo"),
        ...{ taskId, name, resources: shape, priority, preemptionBudget: name, preemptedMax },
        spec: codecOf("TaskSpec").encode({
          ...emptyMessage("TaskSpec"),
          driver: "process",
          command: "work",
          arguments: ["for", "3600000"],
        }),
      },
    ],
  });
  const settle = (): void => {
    if (!isKnown || !scheduler.isSubscribed) return;
    const lacking = Math.max(0, config.wanted(runtime.clock.monotonicMs()) - alive.size);
    const surplus = [...alive].slice(0, Math.max(0, alive.size - config.wanted(runtime.clock.monotonicMs())));
    for (const taskId of surplus) scheduler.kill(taskId);
    if (lacking === told) return;
    told = lacking;
    scheduler.demand([{ count: lacking, resources: shape, priority }], role);
  };
  const scheduler: Scheduler = createScheduler(
    runtime,
    { address: masterAddress, framework: { name, roles: [role] }, suppressedRoles: [role] },
    {
      disconnected: () => {
        told = -1;
        isKnown = false;
      },
      offers: (offers) => {
        for (const { offerId, agentId, resources: amounts } of offers) {
          const refusedForMs = agentRefusals.waitMs(agentId, runtime.clock.monotonicMs());
          const lacking = config.wanted(runtime.clock.monotonicMs()) - alive.size;
          const room = Math.floor((amounts?.cpuMillis ?? 0) / taskCpuMillis);
          const count = isKnown && refusedForMs === 0 ? Math.max(0, Math.min(lacking, room)) : 0;
          if (count === 0) {
            scheduler.decline([offerId], refusedForMs > 0 ? refusedForMs : undefined);
            continue;
          }
          const ids = Array.from({ length: count }, () => `${name}-${randomText(random, 12)}`);
          for (const taskId of ids) alive.add(taskId);
          scheduler.accept([offerId], ids.map(groupOf));
        }
        told = -1;
        settle();
      },
      update: (status) => {
        const { taskId, state } = status;
        agentRefusals.heard(status, runtime.clock.monotonicMs());
        if (isTerminal(state) || state === TaskState.TASK_UNKNOWN) alive.delete(taskId);
        else alive.add(taskId);
        settle();
      },
      reconciled: ({ complete }) => {
        isKnown ||= complete;
        settle();
      },
    },
  );
  const look = (): void => {
    settle();
    runtime.clock.after(lookMs, look);
  };
  scheduler.start();
  look();
}
