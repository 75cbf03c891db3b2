import type { Command } from "commander";
import type { CommandSpec } from "./command.ts";
import { commandSpecs } from "./commands/index.ts";
import { buildProgram } from "./program.ts";

const widthMax = 110;

/** docs/cli.md: what `--help` says of every command. */
export function helpDocument(): string {
  const shown = commandSpecs.filter((spec) => spec.hidden !== true);
  const hidden = commandSpecs.filter((spec) => spec.hidden === true);
  return [
    "# The command",
    "",
    "`muster` as `--help` describes it; a test compares this page with the program.",
    "",
    "Results go to standard output, remarks to standard error. With `--json` every command prints one line",
    '`{"schema": …, "data": …, "warnings": […]}`; an error comes in the same envelope with `error`. Times are relative',
    "on a terminal and RFC 3339 elsewhere. Long flags may be written with one dash, as in Nomad: `-detach`.",
    "",
    ...shown.flatMap(section),
    "## Components",
    "",
    "What `muster dev` starts on one machine, and what init systems start on the machines of a larger cluster. Every",
    "setting can also stand in the environment (`--offer-timeout-ms` is `MUSTER_OFFER_TIMEOUT_MS`) or in a file of",
    "`name = value` lines given by `--config`: defaults < file < environment < flags.",
    "",
    ...hidden.flatMap(section),
  ].join("\n");
}

function section(spec: CommandSpec): string[] {
  const level = spec.hidden === true ? "###" : "##";
  return [`${level} muster ${spec.path}`, "", "```text", helpOf(spec.path), "```", ""];
}

/** What `muster PATH --help` prints. */
export function helpOf(path: string): string {
  let found: Command = buildProgram({ code: 0 });
  for (const word of path.split(" ").filter((each) => each !== "")) {
    const next = found.commands.find((command) => command.name() === word);
    if (!next) throw new Error(`no command ${path}`);
    found = next;
  }
  let text = "";
  found.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => widthMax,
    getOutHasColors: () => false,
  });
  found.outputHelp();
  return text.trimEnd();
}
