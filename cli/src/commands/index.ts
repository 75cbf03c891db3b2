import type { CommandSpec } from "../command.ts";
import { clusterCommands } from "./cluster-commands.ts";
import { daemonCommands } from "./daemon-commands.ts";
import { jobCommands } from "./job-commands.ts";
import { keyCommands } from "./key-commands.ts";
import { operatorCommands } from "./operator-commands.ts";
import { reservationCommands } from "./reservation-commands.ts";
import { roleCommands } from "./role-commands.ts";
import { taskCommands } from "./task-commands.ts";

/** Commands that only group others: name, what they are about, and whether the short help leaves them out. */
export const nouns: readonly (readonly [string, string, boolean?])[] = [
  ["job", "write, check, run and follow jobs"],
  ["agent", "the machines of the cluster"],
  ["maintenance", "when agents are not to be had"],
  ["network", "networks over all agents"],
  ["operator", "look into the master"],
  ["framework", "who places tasks on the cluster"],
  ["role", "who shares the cluster, and how much of it"],
  ["reservation", "what agents set aside for roles"],
  ["volume", "folders of agents that outlive tasks"],
  ["key", "texts that templates of jobs ask for"],
  ["task", "tasks of all frameworks"],
  ["daemon", "run one component of a cluster in the foreground", true],
];

/** Every command, in the order of the help. */
export const commandSpecs: readonly CommandSpec[] = [
  ...jobCommands,
  ...taskCommands,
  ...clusterCommands,
  ...operatorCommands,
  ...roleCommands,
  ...reservationCommands,
  ...keyCommands,
  ...daemonCommands,
];
