import { Command, CommanderError, Option } from "commander";
import { type KnownFlags, normaliseArgv } from "./argv.ts";
import { CliError, toCliError } from "./cli-error.ts";
import type { CommandSpec } from "./command.ts";
import { commandSpecs, nouns } from "./commands/index.ts";
import { exitCode, exitMeanings } from "./exit-codes.ts";
import { optionsOf } from "./options.ts";
import { Output } from "./output/output.ts";
import { version } from "./version.ts";

const globalOptions: readonly (readonly [string, string])[] = [
  ["--address <host:port>", "the master, or several with commas in between (MUSTER_ADDR; default 127.0.0.1:5050)"],
  ["--json", "print data for programs: {schema, data, warnings}"],
  ["--no-color", "no colour (so do NO_COLOR and TERM=dumb)"],
  ["--debug", "print stacks and causes of errors"],
];

/** Runs one command line, without "node" and "muster", and gives the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const normalised = normaliseArgv(argv, knownFlags(commandSpecs));
  const result = { code: 0 };
  const program = buildProgram(result);
  let errorText = "";
  configure(program, (text) => {
    errorText += text;
  });
  try {
    await program.parseAsync(normalised, { from: "user" });
    return result.code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    reportUsage(errorText || error.message, normalised);
    return exitCode.usage;
  }
}

/** The tree of commands as commander knows it; also read by the test of docs/cli.md. */
export function buildProgram(result: { code: number }): Command {
  const program = new Command("muster")
    .description("Muster runs jobs on a cluster. `muster dev` starts one on this machine.")
    .version(version, "-V, --version", "print the version");
  for (const [flags, help] of globalOptions) program.option(flags, help);
  program.addHelpText("before", firstSteps).showHelpAfterError(false).enablePositionalOptions(false);
  const parents = new Map<string, Command>([["", program]]);
  for (const [name, summary, hidden] of nouns) {
    const noun = program.command(name, { hidden: hidden === true }).description(summary);
    parents.set(name, noun);
  }
  for (const spec of commandSpecs) addCommand(parents, spec, result);
  return program;
}

const firstSteps = `Examples:
  $ muster dev                    start a cluster on this machine
  $ muster job run hello.hcl      run a job and wait until it is healthy
  $ muster job status hello       where it runs, and why not
`;

function addCommand(parents: ReadonlyMap<string, Command>, spec: CommandSpec, result: { code: number }): void {
  const [first = "", second] = spec.path.split(" ");
  const parent = parents.get(second === undefined ? "" : first);
  if (!parent) throw new Error(`no noun for ${spec.path}`);
  const command = parent.command(second ?? first, { hidden: spec.hidden === true });
  command.description(spec.details === undefined ? spec.summary : `${spec.summary}\n\n${spec.details}`);
  command.summary(spec.summary);
  if (spec.aliases) command.aliases([...spec.aliases]);
  for (const argument of spec.arguments) command.argument(argument.name, argument.help);
  for (const option of spec.options) command.addOption(commanderOption(option));
  command.configureHelp({ showGlobalOptions: true });
  command.addHelpText("before", `Examples:\n${spec.examples.map((line) => `  $ muster ${line}\n`).join("")}`);
  command.addHelpText("after", closing(spec));
  command.action(async () => {
    result.code = await invoke(spec, command);
  });
}

function commanderOption(option: CommandSpec["options"][number]): Option {
  const made = new Option(option.flags, option.help);
  if (option.default !== undefined) made.default(option.default);
  if (option.hidden) made.hideHelp();
  if (option.repeat) made.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  return made;
}

function closing(spec: CommandSpec): string {
  const usual = spec.exits.map((code) => `  ${String(code).padEnd(4)}${exitMeanings[code] ?? ""}`);
  const notes = (spec.exitNotes ?? []).map((note) => `  ${note}`);
  return `\nNeeded capability: ${spec.capability}\nExit codes:\n${[...notes, ...usual].join("\n")}`;
}

async function invoke(spec: CommandSpec, command: Command): Promise<number> {
  const values = command.optsWithGlobals() as Record<string, unknown>;
  const environment = process.env;
  const out = new Output({
    schema: spec.schema,
    json: values["json"] === true,
    colour: values["color"] !== false,
    debug: values["debug"] === true,
    environment,
  });
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", () => {
      // The reader has seen enough, as `head` does, or its terminal is gone.
      if (spec.outlivesReader !== true) process.exit(exitCode.done);
    });
  try {
    const { run } = await spec.load();
    return await run({ args: command.args, options: optionsOf(values), out, environment });
  } catch (error) {
    const known = toCliError(error);
    out.error(known);
    return known.code;
  }
}

function configure(command: Command, collect: (text: string) => void): void {
  command.exitOverride();
  command.configureOutput({ writeErr: collect, outputError: (text) => collect(text) });
  for (const child of command.commands) configure(child, collect);
}

/** A mistake in the command line: what, and what was probably meant. */
function reportUsage(text: string, argv: readonly string[]): void {
  const out = new Output({
    schema: "muster.usage/1",
    json: argv.includes("--json"),
    colour: !argv.includes("--no-color"),
    debug: false,
    environment: process.env,
  });
  const message = text.replace(/^error: /, "").trimEnd();
  if (!out.json && !text.startsWith("error: ")) process.stderr.write(`${message}\n`);
  else out.error(new CliError(exitCode.usage, message.replaceAll("\n", " "), { kind: "usage", hint: helpLine(argv) }));
}

function helpLine(argv: readonly string[]): string {
  const words = argv.filter((token) => !token.startsWith("-")).slice(0, 2);
  const known = words.length === 2 && commandSpecs.some((spec) => spec.path === words.join(" "));
  const noun = words[0] !== undefined && commandSpecs.some((spec) => spec.path.split(" ")[0] === words[0]);
  return `muster ${known ? `${words.join(" ")} ` : noun ? `${words[0]} ` : ""}--help`;
}

/** Every flag of every command, for the normaliser. */
export function knownFlags(specs: readonly CommandSpec[]): KnownFlags {
  const long = new Set(["help", "version"]);
  const short = new Set(["h", "V"]);
  const valued = new Set<string>();
  const all = [...globalOptions.map(([flags]) => flags), ...specs.flatMap((spec) => spec.options.map((o) => o.flags))];
  for (const flags of all) {
    const takesValue = flags.includes("<") || flags.includes("[");
    for (const [, dashes, name = ""] of flags.matchAll(/(--?)([A-Za-z][A-Za-z0-9-]*)/g)) {
      (dashes === "--" ? long : short).add(name);
      if (takesValue) valued.add(name);
    }
  }
  return { long, short, valued };
}
