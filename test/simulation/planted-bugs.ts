import type { AnyWorkload } from "./campaign.ts";
import type { Patch } from "./compiled.ts";

/** A mistake that somebody could make, which rules of the checkers may find it, and the first seed that does. */
export interface PlantedBug {
  readonly name: string;
  readonly patches: readonly Patch[];
  readonly rules: readonly string[];
  readonly workload: AnyWorkload;
  readonly seed: number;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "double launch on re-registration",
    patches: [
      {
        file: "master/src/core/agents.ts",
        search: "if (!reported.has(task)) missTask(core, task);",
        replace: "if (!reported.has(task) || task.heard) missTask(core, task);",
      },
    ],
    rules: ["instant-twice", "double-launch", "two-processes", "two-ends", "lives-again", "forgotten"],
    workload: "small",
    seed: 3,
  },
  {
    name: "port freed early",
    patches: [
      {
        file: "executors/src/agent/core/launch.ts",
        search: 'group.phase = "launched";',
        replace: 'group.phase = "launched"; giveBack(context, group);',
      },
    ],
    rules: ["port-twice"],
    workload: "small",
    seed: 8,
  },
  {
    name: "acknowledged before stored",
    patches: [
      {
        file: "framework-sdk/src/scheduler/scheduler.ts",
        search: "this.#held.hold(status);\n        return;",
        replace: "this.#held.hold(status);\n        this.#sendAcknowledgement(status);\n        return;",
      },
    ],
    rules: ["acknowledged-lost"],
    workload: "small",
    seed: 1,
  },
  {
    name: "stale accept after fail-over",
    patches: [
      {
        file: "master/src/core/offers.ts",
        search: "if (!state.offers.delete(offer)) return;",
        replace: `if (!outcome.endsWith("framework disconnected")) state.offers.delete(offer);
  if (!offer.agent.offers.has(offer)) return;`,
      },
    ],
    rules: ["offered-sum", "over-commit", "bug"],
    workload: "small",
    seed: 7,
  },
  {
    name: "DNS keeps a dead task",
    patches: [
      {
        file: "discovery/src/picture/picture.ts",
        search: "    if (!task) {\n      this.#dropTask(key);\n      return;",
        replace: "    if (!task) {\n      return;",
      },
    ],
    rules: ["dns-dead"],
    workload: "small",
    seed: 8,
  },
  {
    name: "shares are not looked at",
    patches: [
      {
        file: "master/src/allocator/allocator.ts",
        search: "return (dominantShare(role.held, this.#total) * 1_000) / role.weightMillis;",
        replace: "return 0;",
      },
    ],
    rules: ["unfair", "offer-late"],
    workload: "small",
    seed: 24,
  },
  {
    name: "a deactivated agent is offered",
    patches: [
      {
        file: "master/src/core/operator/standing.ts",
        search: `return agent.state === "registered" && agent.standing === undefined;`,
        replace: `return agent.state === "registered";`,
      },
    ],
    rules: ["offered-inactive", "drained-busy"],
    workload: "small",
    seed: 4,
  },
  {
    name: "tasks of an unreachable agent are forgotten",
    patches: [
      {
        file: "master/src/core/agents.ts",
        search: `    changeStatus(core, task, status);
    core.toFramework(task.group.framework, "updates", status, 200);
  }
  for (const framework of core.state`,
        replace: `    changeStatus(core, task, status);
    core.toFramework(task.group.framework, "updates", status, 200);
    task.group.framework.tasks.delete(task.id);
  }
  for (const framework of core.state`,
      },
    ],
    rules: ["allocated-sum", "forgotten", "bug"],
    workload: "small",
    seed: 5,
  },
  {
    name: "a reader that resumes misses one event",
    patches: [
      {
        file: "master/src/feeds/watchers.ts",
        search: "this.#sequence = resumes ? request.sequence : ring.last;",
        replace: "this.#sequence = resumes ? Math.min(request.sequence + 1, ring.last) : ring.last;",
      },
    ],
    rules: ["feed-gap", "feed-differs"],
    workload: "small",
    seed: 15,
  },
  {
    name: "DNS forgets the tasks of an agent that is back",
    patches: [
      {
        file: "discovery/src/picture/picture.ts",
        search: `    for (const task of tasks) this.#swap(undefined, task);
`,
        replace: "",
      },
    ],
    rules: ["dns-missing", "dns-lost"],
    workload: "small",
    seed: 433,
  },
  {
    name: "fail-over timeout is not kept",
    patches: [
      {
        file: "master/src/core/framework-life.ts",
        search: "framework.deadline = core.after(forMs, {",
        replace: "framework.deadline = core.after(Math.min(forMs, 1_000), {",
      },
    ],
    rules: ["end-lost", "work-left", "forgotten", "acknowledged-lost"],
    workload: "small",
    seed: 50,
  },
  {
    name: "what a task uses is free as soon as it is being killed",
    patches: [
      {
        file: "master/src/core/tasks.ts",
        search: `  if (!isTerminal(status.state)) return;
  const { agent, framework } = group;`,
        replace: `  if (!isTerminal(status.state) && status.state !== TaskState.TASK_KILLING) return;
  const { agent, framework } = group;`,
      },
    ],
    rules: ["allocated-sum", "over-commit", "bug"],
    workload: "small",
    seed: 1,
  },
  {
    name: "claims of a set are granted one by one",
    patches: [
      {
        file: "master/src/core/claims.ts",
        search: `answer(core, framework, other.claim, own ? plan : { ...plan, message, field: "" });
      }
      return;`,
        replace: `answer(core, framework, other.claim, own ? plan : { ...plan, message, field: "" });
      }
      continue;`,
      },
    ],
    rules: ["set-split", "refused-started", "claim-unasked"],
    workload: "small",
    seed: 32,
  },
  {
    name: "a task that is adopted is not booked",
    patches: [
      {
        file: "master/src/core/adopt.ts",
        search: `  book(core, group, task.resources);
  addTask(task);`,
        replace: "  addTask(task);",
      },
    ],
    rules: ["allocated-sum", "bug", "over-commit"],
    workload: "small",
    seed: 48,
  },
  {
    name: "launches that broke with their connection end without a word",
    patches: [
      {
        file: "master/src/core/agents.ts",
        search: `  endByMaster(core, task, status);
}`,
        replace: `  if (task.heard) endByMaster(core, task, status);
}`,
      },
    ],
    rules: ["work-left", "end-lost", "desired-count"],
    workload: "small",
    seed: 9,
  },
  {
    name: "a group starts before its intent is on the disk",
    patches: [
      {
        file: "executors/src/agent/core/launch.ts",
        search: `for (const task of group.tasks) report(context, task, TaskState.TASK_STARTING);
}`,
        replace: `for (const task of group.tasks) report(context, task, TaskState.TASK_STARTING);
  intentDurable(context, group.key);
}`,
      },
    ],
    rules: ["unrecorded", "double-launch"],
    workload: "small",
    seed: 1,
  },
  {
    name: "an agent is called drained while tasks run on it",
    patches: [
      {
        file: "master/src/core/operator/settle.ts",
        search: "agent.tasks.size === 0 && agent.ended.size === 0",
        replace: "agent.ended.size === 0",
      },
    ],
    rules: ["drained-busy"],
    workload: "small",
    seed: 19,
  },
  {
    name: "a service has one instance too many after its framework was away",
    patches: [
      {
        file: "frameworks/services/src/core/statuses.ts",
        search: `  entry.instances.set(instance.id, instance);
  if (entry.current`,
        replace: `  if (known) entry.instances.set(instance.id, instance);
  if (entry.current`,
      },
    ],
    rules: ["desired-count"],
    workload: "small",
    seed: 468,
  },
  {
    name: "a reservation is lost when its agent is back",
    patches: [
      {
        file: "master/src/core/set-aside/registration.ts",
        search: "if (now === undefined || !isSame(known, now)) removeReservation(core, known);",
        replace: "removeReservation(core, known);",
      },
    ],
    rules: ["reserved-sum", "bug", "volume-homeless", "reservation-role", "over-commit", "volume-twice"],
    workload: "small",
    seed: 28,
  },
  {
    name: "nobody counts who was preempted of a budget",
    patches: [
      {
        file: "master/src/core/preemption/budget.ts",
        search: "return Math.max(0, this.max - missing);",
        replace: "return this.max;",
      },
    ],
    rules: ["budget-exceeded"],
    workload: "small",
    seed: 20,
  },
  {
    name: "a new master forgets who was preempted",
    patches: [
      {
        file: "master/src/core/begin.ts",
        search: "recallBudgets(core, registry.budgets);",
        replace: "",
      },
    ],
    rules: ["budget-exceeded"],
    workload: "preemption",
    seed: 1,
  },
];
