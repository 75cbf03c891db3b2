import type { CommandSpec, OptionSpec } from "../command.ts";
import { exitCode } from "../exit-codes.ts";
import { callExits } from "./exits.ts";

export const execDetails =
  "At a terminal the command gets one, with Ctrl-C, sizes and colours, as with `docker exec -it`; in pipes it gets pipes.\n" +
  "It ends with the task, and when this command ends. What it leaves behind in the background ends with it.";
export const execOptions: readonly OptionSpec[] = [
  { flags: "-t, --tty", help: "give it a terminal, also where this command has none" },
  { flags: "-T, --pipe", help: "give it pipes, also at a terminal" },
  { flags: "-i, --interactive", help: "input is always passed on; taken for the habit", hidden: true },
  { flags: "-e, --env <name=value>", help: "set a variable for it; may be repeated", repeat: true },
];
export const execExits = callExits.filter((code) => code !== exitCode.done && code !== exitCode.failed);
export const execExitNotes: readonly string[] = [
  "the exit code of the command; 128 and the signal's number if a signal ended it",
  "1   failed",
];

const taskArgument = { name: "<task>", help: "id of the task, or a beginning that only it has" };

/** `muster task …` */
export const taskCommands: readonly CommandSpec[] = [
  {
    path: "task list",
    summary: "list tasks of all frameworks",
    arguments: [],
    options: [
      { flags: "-a, --all", help: "also tasks that have ended lately" },
      { flags: "--framework <framework>", help: "only of this framework, by id or name" },
      { flags: "--agent <agent>", help: "only on this agent, by id or name" },
    ],
    examples: ["task list", "task list --all --agent agent-1", "task list --json"],
    capability: "task:read",
    exits: callExits,
    schema: "muster.task.list/1",
    load: () => import("./task-list.ts"),
  },
  {
    path: "task exec",
    summary: "run a command beside a task, in its surroundings",
    details: execDetails,
    arguments: [taskArgument, { name: "<command...>", help: "program and arguments, best after --" }],
    options: execOptions,
    examples: [
      "task exec web.web.0 -- sh",
      "task exec -T web.web.0 -- env",
      "task exec -e A=b web.web.0 -- sh -c 'exit 3'",
    ],
    capability: "task:exec",
    exits: execExits,
    exitNotes: execExitNotes,
    schema: "muster.task.exec/1",
    load: () => import("./task/exec.ts"),
  },
];
