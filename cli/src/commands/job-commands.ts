import type { CommandSpec, OptionSpec } from "../command.ts";
import { exitCode } from "../exit-codes.ts";
import { deploymentCommands } from "./deployment-commands.ts";
import { callExits, localExits, waitExits } from "./exits.ts";
import { nameArgument, waiting } from "./job-arguments.ts";
import { execDetails, execExitNotes, execExits, execOptions, logDetails, logOptions } from "./task-commands.ts";

const variables: readonly OptionSpec[] = [
  { flags: "--var <name=value>", help: "set a variable of the jobspec; may be repeated", repeat: true },
  { flags: "--var-file <file>", help: "read variables from a file; may be repeated", repeat: true },
];
const yes: OptionSpec = { flags: "-y, --yes", help: "do not ask" };
const fileArgument = { name: "<file>", help: "jobspec in HCL or JSON; - reads standard input" };
const checkVersion: readonly OptionSpec[] = [
  { flags: "--check-version <version>", help: "refuse unless this is the job's version now; 0: it must be new" },
  { flags: "--check-index <version>", help: "the same, as Nomad calls it", hidden: true },
];

const writing: readonly CommandSpec[] = [
  {
    path: "job init",
    summary: "write an example jobspec",
    arguments: [{ name: "[name]", help: 'name of the job and its file; "example" if absent' }],
    options: [{ flags: "--force", help: "overwrite the file if it is there" }],
    examples: ["job init", "job init web", "job init web --force"],
    capability: "none",
    exits: localExits,
    schema: "muster.job.init/1",
    load: () => import("./job/init.ts"),
  },
  {
    path: "job validate",
    summary: "check jobspecs without a cluster",
    arguments: [{ name: "<files...>", help: "jobspecs in HCL" }],
    options: [
      {
        flags: "--annotations",
        help: "print what is wrong as GitHub's workflows read it, and show it beside the lines",
      },
      ...variables,
    ],
    examples: [
      "job validate web.hcl",
      "job validate --annotations *.hcl",
      "job validate --var image=v2 web.hcl --json",
    ],
    capability: "none",
    exits: localExits,
    schema: "muster.job.validate/1",
    load: () => import("./job/validate.ts"),
  },
  {
    path: "job fmt",
    summary: "write jobspecs in the usual form",
    arguments: [{ name: "[paths...]", help: "files, or folders whose .hcl files are meant; - reads standard input" }],
    options: [{ flags: "--check", help: "change nothing; exit 1 if something would change" }],
    examples: ["job fmt web.hcl", "job fmt --check .", "job fmt - < web.hcl"],
    capability: "none",
    exits: localExits,
    schema: "muster.job.fmt/1",
    load: () => import("./job/fmt.ts"),
  },
  {
    path: "job convert",
    summary: "make a job file of a job of Nomad's API or an app or group of Marathon's, or print a jobspec as JSON",
    details:
      "What the source is shows in its fields. What has no counterpart is left out, and told on standard error with its\nplace and why; exit code 1 if the result is no valid job yet.",
    arguments: [{ name: "<file>", help: "JSON of Nomad or Marathon, or a jobspec; - reads standard input" }],
    options: [
      { flags: "--to <form>", help: "hcl: a job file, what JSON of others becomes; json: a jobspec's evaluated job" },
      { flags: "--out <folder>", help: "write files there, one for each job; for groups" },
      ...variables,
    ],
    examples: [
      "job convert nomad-job.json",
      "job convert --out jobs marathon-group.json",
      "job convert --to json web.hcl",
    ],
    capability: "none",
    exits: localExits,
    schema: "muster.job.convert/1",
    load: () => import("./job/convert.ts"),
  },
  {
    path: "job schema",
    summary: "print the JSON Schema of job files in JSON syntax, for editors",
    arguments: [],
    options: [],
    examples: ["job schema", "job schema > muster-job.schema.json", "job schema --json"],
    capability: "none",
    exits: localExits,
    schema: "muster.job.schema/1",
    load: () => import("./job/schema.ts"),
  },
  {
    path: "job complete",
    summary: "list what may be written at a place of a jobspec, for editors",
    details: "A line for each: what it is, a tab, whether attribute, block or value, a tab, what it means.",
    arguments: [fileArgument],
    options: [{ flags: "--at <line:column>", help: "the place, both counted from 1; the end of the file if absent" }],
    examples: ["job complete web.hcl", "job complete web.hcl --at 12:5", "job complete - --json < web.hcl"],
    capability: "none",
    exits: localExits,
    schema: "muster.job.complete/1",
    load: () => import("./job/complete.ts"),
  },
];

const running: readonly CommandSpec[] = [
  {
    path: "job plan",
    summary: "say what running a jobspec would change, and what would go where",
    arguments: [fileArgument],
    options: variables,
    examples: ["job plan web.hcl", "job plan --var count=5 web.hcl", "job plan web.hcl --json"],
    capability: "job:plan",
    exits: [],
    exitNotes: ["0   nothing would change", "1   something would change", "255 it could not be found out"],
    schema: "muster.job.plan/1",
    load: () => import("./job/plan.ts"),
  },
  {
    path: "job run",
    summary: "run a job, or a new version of it, and wait until it is healthy",
    details: "Ctrl-C stops the waiting; the job goes on.",
    arguments: [fileArgument],
    options: [...variables, ...waiting, ...checkVersion],
    examples: ["job run web.hcl", "job run --detach --var image=v2 web.hcl", "job run --check-version 3 web.hcl"],
    capability: "job:submit",
    exits: waitExits,
    schema: "muster.job.run/1",
    load: () => import("./job/run.ts"),
  },
  {
    path: "job status",
    summary: "say where a job runs, or why it does not; without a name list all",
    arguments: [{ ...nameArgument, name: "[name]" }],
    options: [],
    examples: ["job status web", "job status web --json", "job status"],
    capability: "job:read",
    exits: callExits,
    schema: "muster.job.status/1",
    load: () => import("./job/status.ts"),
  },
  {
    path: "job list",
    summary: "list jobs",
    arguments: [],
    options: [
      { flags: "--type <type>", help: "only service, system, batch or sysbatch jobs" },
      { flags: "--dispatches", help: "also what parameterized jobs were dispatched for, each after its job" },
    ],
    examples: ["job list", "job list --type batch", "job list --dispatches --json"],
    capability: "job:list",
    exits: callExits,
    schema: "muster.job.list/1",
    load: () => import("./job/list.ts"),
  },
  {
    path: "job scale",
    summary: "change how many instances run",
    arguments: [
      { name: "<name[=count]>", help: "the job; web=5, or web/group=5" },
      { name: "[words...]", help: "or: NAME COUNT, or NAME GROUP COUNT" },
    ],
    options: [
      ...waiting,
      { flags: "--wipe", help: "also remove the volumes of instances that are not wanted any more, and their data" },
    ],
    examples: ["job scale web=5", "job scale web frontend 5 --detach", "job scale db=2 --wipe"],
    capability: "job:scale",
    exits: waitExits,
    schema: "muster.job.scale/1",
    load: () => import("./job/scale.ts"),
  },
  {
    path: "job rebalance",
    summary: "move instances to agents where they are better distributed, as their job understands it",
    details:
      "What a job spreads, prefers, packs or keeps apart is weighed as where instances are placed. A successor starts first, as\nmany at a time as the group's migrate or update block says; one that finds no room within a minute is given up.",
    arguments: [{ ...nameArgument, name: "[name]", help: `${nameArgument.help}; absent: all service jobs` }],
    options: [
      { flags: "--plan", help: "say what would be moved and why, and move nothing" },
      { flags: "-n, --limit <count>", help: "at most so many moves, the most useful first", default: "100" },
      yes,
    ],
    examples: ["job rebalance --plan", "job rebalance web --yes", "job rebalance -n 10 --yes --json"],
    capability: "job:scale",
    exits: callExits,
    schema: "muster.job.rebalance/1",
    load: () => import("./job/rebalance.ts"),
  },
  {
    path: "job stop",
    summary: "stop a job",
    arguments: [nameArgument],
    details: "Volumes of type muster stay, and are used again when the job is run again.",
    options: [
      yes,
      { flags: "--purge", help: "also forget it and its history, and remove its volumes" },
      { flags: "--wipe", help: "also remove its volumes, and the data in them" },
      ...waiting,
    ],
    examples: ["job stop web", "job stop --wipe db", "job stop --purge --yes web"],
    capability: "job:stop",
    exits: waitExits,
    schema: "muster.job.stop/1",
    load: () => import("./job/stop.ts"),
  },
  {
    path: "job history",
    summary: "list the versions of a job",
    arguments: [nameArgument],
    options: [],
    examples: ["job history web", "job history web --json", "job history we"],
    capability: "job:read",
    exits: callExits,
    schema: "muster.job.history/1",
    load: () => import("./job/history.ts"),
  },
];

const inspecting: readonly CommandSpec[] = [
  {
    path: "job logs",
    summary: "print what the tasks of a job write",
    details: `Of several instances each line begins with the instance's name.\n${logDetails}`,
    arguments: [nameArgument],
    options: [
      ...logOptions,
      {
        flags: "--instance <instance>",
        help: "only this instance, also one that has ended, or one task of it: web.web.0/server",
      },
    ],
    examples: [
      "job logs -f web",
      "job logs --stderr -n 20 --instance web.web.0 web",
      "job logs --since 10m --grep '(?i)error|timeout' --timestamps web",
    ],
    capability: "task:logs",
    exits: [...callExits, exitCode.interrupted],
    schema: "muster.job.logs/1",
    load: () => import("./job/logs.ts"),
  },
  {
    path: "job exec",
    summary: "run a command beside a task, in its surroundings",
    details: execDetails,
    arguments: [nameArgument, { name: "<command...>", help: "program and arguments, best after --" }],
    options: [
      ...execOptions,
      {
        flags: "--instance <instance>",
        help: "this instance, or one task of it: web.web.0/server; else the first healthy",
      },
    ],
    examples: ["job exec web -- sh", "job exec --instance web.web.1 web -- env", "job exec web -- sh -c 'exit 3'"],
    capability: "task:exec",
    exits: execExits,
    exitNotes: execExitNotes,
    schema: "muster.job.exec/1",
    load: () => import("./job/exec.ts"),
  },
  {
    path: "job force",
    summary: "run a periodic job now",
    arguments: [nameArgument],
    options: waiting,
    examples: ["job force nightly", "job force nightly --timeout 10m", "job force --detach nightly"],
    capability: "job:dispatch",
    exits: waitExits,
    schema: "muster.job.force/1",
    load: () => import("./job/force.ts"),
  },
  {
    path: "job dispatch",
    summary: "run a parameterized job with a payload and metadata of its own",
    details:
      "Each dispatch is a job by itself, JOB/dispatch-...: job status, logs, exec and stop take its name. What it may and must\nbring is said by the job's parameterized block; a payload has at most 16 KiB.",
    arguments: [
      { name: "<name>", help: "the parameterized job, or a beginning of its name that only it has" },
      { name: "[payload]", help: "file with the payload; - reads standard input; none if absent" },
    ],
    options: [
      { flags: "-m, --meta <name=value>", help: "metadata of this dispatch; may be repeated", repeat: true },
      { flags: "--id-prefix <text>", help: "part of the dispatch's name, for people" },
      {
        flags: "--idempotency-token <token>",
        help: "a second dispatch with the same token is the first one, as long as that is kept",
      },
      { flags: "--wait", help: "wait for its end" },
      { flags: "--timeout <duration>", help: "of --wait: stop waiting after so long; it goes on" },
    ],
    examples: [
      "job dispatch -m input=s3://b/1 etl",
      "job dispatch --wait resize picture.png",
      "job dispatch --id-prefix nightly --idempotency-token 2026-06-01 etl - < rows.csv",
    ],
    capability: "job:dispatch",
    exits: waitExits,
    schema: "muster.job.dispatch/1",
    load: () => import("./job/dispatch.ts"),
  },
  {
    path: "job runs",
    summary: "list the runs of a batch or periodic job, or the dispatches of a parameterized one",
    arguments: [nameArgument],
    options: [{ flags: "-n, --limit <count>", help: "at most so many, newest first", default: "20" }],
    examples: ["job runs nightly", "job runs -n 100 nightly", "job runs nightly --json"],
    capability: "job:read",
    exits: callExits,
    schema: "muster.job.runs/1",
    load: () => import("./job/runs.ts"),
  },
];

/** `muster job …` */
export const jobCommands: readonly CommandSpec[] = [...writing, ...running, ...deploymentCommands, ...inspecting];
