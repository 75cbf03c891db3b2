import type { CommandSpec, OptionSpec } from "../command.ts";
import { callExits } from "./exits.ts";

const dryRun: OptionSpec = { flags: "--dry-run", help: "only say what would be" };

/** Commands about roles: who shares the cluster, and how much of it. */
export const roleCommands: readonly CommandSpec[] = [
  {
    path: "role list",
    summary: "list roles with their shares and quota",
    details: "What a role uses and is offered is told with that of all roles below it.",
    arguments: [],
    options: [],
    examples: ["role list", "role list --json", "role list --no-color"],
    capability: "role:read",
    exits: callExits,
    schema: "muster.role.list/1",
    load: () => import("./role/list.ts"),
  },
  {
    path: "role explain",
    summary: "tell why a role got nothing, or no more",
    details: "The allocator's own reasons, with the number of agents that each holds for.",
    arguments: [{ name: "<role>", help: "the whole name, for instance eng/ml" }],
    options: [],
    examples: ["role explain default", "role explain default --json", "role explain eng/ml"],
    capability: "role:read",
    exits: callExits,
    schema: "muster.role.explain/1",
    load: () => import("./role/explain.ts"),
  },
  {
    path: "role quota",
    summary: "show or change what a role is promised, and the most that it may have",
    details:
      "Amounts are cores of cpu, MiB of memory and disk, numbers of ports, and any other name that agents have.\n" +
      "Both hold for the role and all roles below it. A limit of 0 forbids the thing. The whole quota is replaced.",
    arguments: [{ name: "<role>", help: "the whole name, for instance eng/ml" }],
    options: [
      { flags: "--guarantee <amounts>", help: "keep so much for it, whether it is used or not" },
      { flags: "--limit <amounts>", help: "never offer it more than so much" },
      { flags: "--remove", help: "take its quota away" },
      { flags: "--force", help: "also if the cluster has less, or more is used already; nothing is killed" },
      dryRun,
    ],
    examples: [
      "role quota eng",
      "role quota eng --guarantee cpu=2,memory=2048 --limit cpu=4,memory=8192,gpus=0 --dry-run",
      "role quota eng --remove",
    ],
    capability: "role:quota",
    exits: callExits,
    schema: "muster.role.quota/1",
    load: () => import("./role/quota.ts"),
  },
  {
    path: "role weight",
    summary: "change the weight of a role among its siblings",
    details:
      "A role of weight 3 gets three times as much as one of weight 1. Tasks and offers stand; later offers follow.",
    arguments: [
      { name: "<role>", help: "the whole name, for instance eng/ml" },
      { name: "<weight>", help: "0.001 to 1000; 1 is the usual" },
    ],
    options: [dryRun],
    examples: ["role weight eng 2", "role weight eng/ml 0.5 --dry-run", "role weight eng 1 --json"],
    capability: "role:weight",
    exits: callExits,
    schema: "muster.role.weight/1",
    load: () => import("./role/weight.ts"),
  },
];
