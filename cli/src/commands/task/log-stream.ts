import { LogStream } from "@muster/proto";
import { toCliError, usageError } from "../../cli-error.ts";
import type { Invocation } from "../../command.ts";
import { type Client, message } from "../../connect/client.ts";
import { onInterrupt } from "../../connect/interrupt.ts";
import { exitCode } from "../../exit-codes.ts";
import { parseDurationMs } from "../../options.ts";
import { rfc3339 } from "../../output/times.ts";
import { LinePrefixer } from "../job/line-prefixer.ts";

export interface LogSource {
  readonly frameworkId: string;
  readonly taskId: string;
  /** What people call it, for instance the instance of a job. */
  readonly name: string;
}

/** Prints what tasks have written until it ends or somebody interrupts; gives the exit code. */
export async function printLogs(
  client: Client,
  invocation: Invocation,
  sources: readonly LogSource[],
): Promise<number> {
  const question = questionOf(invocation);
  const interrupt = onInterrupt();
  const cancels: (() => void)[] = [];
  const reads = sources.map((source) => {
    const prefix = sources.length > 1 ? `${source.name} | ` : "";
    return printOne(client, invocation, { ...question, ...source }, prefix, cancels);
  });
  const ended = await Promise.race([Promise.all(reads), interrupt.interrupted]);
  for (const cancel of cancels) cancel();
  interrupt.release();
  if (ended === "interrupted") return exitCode.interrupted;
  const failures = ended.filter((failure) => failure !== undefined);
  if (failures.length === 1 && sources.length === 1) throw failures[0];
  for (const [index, failure] of ended.entries())
    if (failure !== undefined) invocation.out.say(`${sources[index]?.name}: ${toCliError(failure).message}`);
  return failures.length === sources.length ? exitCode.failed : exitCode.done;
}

type Question = ReturnType<typeof questionOf>;

function questionOf({ options }: Invocation) {
  const onlyStdout = options.flag("stdout") && !options.flag("stderr");
  const onlyStderr = options.flag("stderr") && !options.flag("stdout");
  const only = onlyStdout ? LogStream.LOG_STREAM_STDOUT : LogStream.LOG_STREAM_STDERR;
  return {
    stream: onlyStdout || onlyStderr ? only : LogStream.LOG_STREAM_UNSPECIFIED,
    follow: options.flag("follow"),
    tailLines: options.integer("tail"),
    since: sinceOf(options.text("since"), Date.now()),
    grep: options.text("grep") ?? "",
    timestamps: options.flag("timestamps"),
  };
}

/** Milliseconds since the epoch: so long before now, or a time; 0 if nothing was given. */
export function sinceOf(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  const agoMs = parseDurationMs(text);
  if (agoMs !== undefined) return Math.max(1, nowMs - agoMs);
  const isTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const at = isTime ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  if (Number.isNaN(at) || at <= 0)
    throw usageError(`--since needs a duration such as 90s or a time such as 2030-01-31T12:00:00Z, not "${text}"`);
  return at;
}

/** Prints one task's output until it ends; gives what went wrong, if anything did. */
async function printOne(
  client: Client,
  { out }: Invocation,
  question: Question & LogSource,
  prefix: string,
  cancels: (() => void)[],
): Promise<Error | undefined> {
  const { name, tailLines, ...fields } = question;
  const request = message("LogsRequest", { ...fields, ...(tailLines === undefined ? {} : { tailLines }) });
  const printers = new Map<number, LinePrefixer>();
  const print = (stream: LogStream, text: string, writtenAt: number): void => {
    if (text === "") return;
    if (out.json) {
      const word = stream === LogStream.LOG_STREAM_STDERR ? "stderr" : "stdout";
      out.data({ instance: name, stream: word, text, ...(writtenAt > 0 ? { at: rfc3339(writtenAt) } : {}) });
    } else out.raw(text);
  };
  const stream = client.follow("Tasks.Logs", request, (piece) => {
    const printer = printers.get(piece.stream) ?? new LinePrefixer(out.json ? "" : prefix);
    printers.set(piece.stream, printer);
    if (piece.gap) out.warn(`${name}: output was deleted by rotation before it could be read`);
    const time = question.timestamps && !out.json ? `${rfc3339(piece.writtenAt) ?? "-"} ` : "";
    print(piece.stream, printer.add(piece.data, time), piece.writtenAt);
  });
  cancels.push(stream.cancel);
  const error = await stream.ended;
  for (const [kind, printer] of printers) print(kind as LogStream, printer.end(), 0);
  return error;
}
