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
    seed: 9,
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
        search: "if (!state.offers.delete(offer.id)) return;",
        replace: `if (!outcome.endsWith("framework disconnected")) state.offers.delete(offer.id);
  if (!offer.agent.offers.has(offer)) return;`,
      },
    ],
    rules: ["offered-sum", "over-commit", "bug"],
    workload: "small",
    seed: 4,
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
    seed: 2,
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
    seed: 2,
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
    seed: 11,
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
    seed: 9,
  },
];
