import type { Patch } from "./patched-modules.ts";

/** A mistake that somebody could make, and which rules of the checkers may find it. */
export interface PlantedBug {
  readonly name: string;
  readonly patches: readonly Patch[];
  readonly rules: readonly string[];
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
  },
];
