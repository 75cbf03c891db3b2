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

export const logDetails =
  "Times are known to the second: --since may show a second too much, always in whole lines. In a file that grew for more\n" +
  "than an hour they are known to two seconds, then four, and so on. A pattern has JavaScript's notation, without\n" +
  "references and look-around.";
export const logOptions: readonly OptionSpec[] = [
  { flags: "-f, --follow", help: "go on with what comes, until the task ends" },
  { flags: "-n, --tail <lines>", help: "only the last so many lines of each output; with --grep of those that match" },
  {
    flags: "--since <when>",
    help: "only what was written in the last so long (90s, 1h30m), or since a time (RFC 3339)",
  },
  { flags: "--grep <pattern>", help: 'only lines that match a regular expression; "(?i)" before it ignores case' },
  { flags: "--timestamps", help: "begin each line with the time at which it was written, to the second" },
  { flags: "--stdout", help: "only standard output" },
  { flags: "--stderr", help: "only standard error" },
];

const taskArgument = { name: "<task>", help: "id of the task, or a beginning that only it has" };

const frameworkOption: OptionSpec = {
  flags: "--framework <framework>",
  help: "the task of this framework, by id or name, where several have one of that id",
};

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
    path: "task status",
    summary: "tell all about one task, also one that has ended lately",
    arguments: [taskArgument],
    options: [frameworkOption],
    examples: ["task status web.web.0", "task status web.web.0 --json", "task status --framework services web"],
    capability: "task:read",
    exits: callExits,
    schema: "muster.task.status/1",
    load: () => import("./task/status.ts"),
  },
  {
    path: "task kill",
    summary: "end a task; its framework decides whether another follows",
    details: "A service is placed anew; to stop it for good use `muster job stop`. Ctrl-C stops the waiting alone.",
    arguments: [taskArgument],
    options: [
      { flags: "-y, --yes", help: "do not ask" },
      { flags: "--grace <duration>", help: "between the first signal and SIGKILL, if shorter than the task's own" },
      { flags: "--detach", help: "do not wait for its end" },
      { flags: "--timeout <duration>", help: "stop waiting after so long" },
      frameworkOption,
    ],
    examples: ["task kill web.web.0", "task kill --yes --grace 0s web.web.0", "task kill --yes --detach web.web.0"],
    capability: "task:signal",
    exits: [...callExits, exitCode.timeout, exitCode.interrupted],
    schema: "muster.task.kill/1",
    load: () => import("./task/kill.ts"),
  },
  {
    path: "task stats",
    summary: "measure what a task uses now",
    details: "Takes half a second; the agent measures nothing at other times.",
    arguments: [taskArgument],
    options: [frameworkOption],
    examples: ["task stats web.web.0", "task stats web.web.0 --json", "task stats web"],
    capability: "task:read",
    exits: callExits,
    schema: "muster.task.stats/1",
    load: () => import("./task/stats.ts"),
  },
  {
    path: "task files",
    summary: "list, print or fetch files of a task's folder, also after its end",
    details: "Links are shown but not followed, and the task's secrets are not shown.",
    arguments: [taskArgument, { name: "[path]", help: "folder or file within the task's folder" }],
    options: [
      { flags: "--cat", help: "print the file" },
      { flags: "--download [file]", help: "write the file here; by default under its own name" },
      { flags: "--force", help: "overwrite what is there" },
      frameworkOption,
    ],
    examples: [
      "task files web.web.0 local",
      "task files web.web.0 local/nginx.conf --cat",
      "task files web.web.0 core --download /tmp/core",
    ],
    capability: "task:files",
    exits: callExits,
    schema: "muster.task.files/1",
    load: () => import("./task/files.ts"),
  },
  {
    path: "task logs",
    summary: "print what a task writes or wrote",
    details: logDetails,
    arguments: [taskArgument],
    options: [...logOptions, frameworkOption],
    examples: [
      "task logs -f web.web.0",
      "task logs --stderr -n 20 web.web.0",
      "task logs --since 2030-01-31T12:00:00Z --grep '^GET .* 5\\d\\d' web.web.0",
    ],
    capability: "task:logs",
    exits: [...callExits, exitCode.interrupted],
    schema: "muster.task.logs/1",
    load: () => import("./task/logs.ts"),
  },
  {
    path: "task exec",
    summary: "run a command beside a task, in its surroundings",
    details: execDetails,
    arguments: [taskArgument, { name: "<command...>", help: "program and arguments, best after --" }],
    options: [...execOptions, frameworkOption],
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
