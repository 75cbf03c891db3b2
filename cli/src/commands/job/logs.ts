import { type JobInstance, LogStream } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import type { CommandModule, Invocation } from "../../command.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { onInterrupt } from "../../connect/interrupt.ts";
import { exitCode } from "../../exit-codes.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { chooseInstances, frameworkOf } from "./instances.ts";
import { LinePrefixer } from "./line-prefixer.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const job = await findJob(client, invocation.args[0] ?? "");
    const { name } = summaryOf(job);
    const instances = chooseInstances(job, options.text("instance"));
    if (instances.length === 0) {
      out.say(`${name} has no tasks yet`);
      out.data({ instance: null, stream: null, text: "" });
      return exitCode.done;
    }
    const several = instances.length > 1;
    const interrupt = onInterrupt();
    const cancels: (() => void)[] = [];
    const reads = instances.map((instance) => readLogs(client, invocation, instance, several, cancels));
    const ended = await Promise.race([Promise.all(reads), interrupt.interrupted]);
    for (const cancel of cancels) cancel();
    interrupt.release();
    if (ended === "interrupted") return exitCode.interrupted;
    const failures = ended.filter((failure) => failure !== undefined);
    for (const failure of failures) out.say(failure);
    return failures.length === instances.length ? exitCode.failed : exitCode.done;
  });

/** Prints one instance's output until it ends; gives what went wrong, if anything did. */
async function readLogs(
  client: Client,
  invocation: Invocation,
  instance: JobInstance,
  several: boolean,
  cancels: (() => void)[],
): Promise<string | undefined> {
  const { out, options } = invocation;
  const tailLines = options.integer("tail");
  const sinceMs = options.durationMs("since");
  const onlyStdout = options.flag("stdout") && !options.flag("stderr");
  const onlyStderr = options.flag("stderr") && !options.flag("stdout");
  const request = message("LogsRequest", {
    frameworkId: await frameworkOf(client, instance.taskId),
    taskId: instance.taskId,
    stream: onlyStdout
      ? LogStream.LOG_STREAM_STDOUT
      : onlyStderr
        ? LogStream.LOG_STREAM_STDERR
        : LogStream.LOG_STREAM_UNSPECIFIED,
    follow: options.flag("follow"),
    since: sinceMs === undefined ? 0 : Date.now() - sinceMs,
    ...(tailLines === undefined ? {} : { tailLines }),
  });
  const prefix = several ? `${instance.instance} | ` : "";
  const prefixers = new Map<number, LinePrefixer>();
  const print = (stream: LogStream, text: string): void => {
    if (text === "") return;
    if (out.json) {
      const word = stream === LogStream.LOG_STREAM_STDERR ? "stderr" : "stdout";
      out.data({ instance: instance.instance, stream: word, text });
    } else out.raw(text);
  };
  const stream = client.follow("Tasks.Logs", request, (piece) => {
    let prefixer = prefixers.get(piece.stream);
    if (!prefixer) {
      prefixer = new LinePrefixer(out.json ? "" : prefix);
      prefixers.set(piece.stream, prefixer);
    }
    print(piece.stream, prefixer.add(piece.data));
  });
  cancels.push(stream.cancel);
  const error = await stream.ended;
  for (const [kind, prefixer] of prefixers) print(kind as LogStream, prefixer.end());
  return error === undefined ? undefined : `${instance.instance}: ${toCliError(error).message}`;
}
