import { type Cancel, type FollowHandler, invalid, MusterError, type Outlet } from "@muster/foundation";
import { LogStream, type LogsRequest, type LogsResponse } from "@muster/proto";
import { GrepSink } from "../logs/grep/grep-sink.ts";
import { Matcher } from "../logs/grep/matcher.ts";
import { PatternError } from "../logs/grep/parse.ts";
import type { LogReader, LogSink, OutputStream } from "../world/task-files.ts";
import type { Task } from "./core/model.ts";
import type { AgentLoop } from "./loop.ts";

/** Serves what a task has written and, on request, what it goes on to write. */
export function logsHandler(
  find: (frameworkId: string, taskId: string) => Task | MusterError,
  loop: () => AgentLoop | undefined,
  reader: LogReader | undefined,
): FollowHandler<"Tasks.Logs"> {
  return (request, outlet) => {
    const task = find(request.frameworkId, request.taskId);
    const matcher = matcherOf(request.grep);
    const refusal = task instanceof MusterError ? task : matcher instanceof MusterError ? matcher : undefined;
    if (refusal || task instanceof MusterError || matcher instanceof MusterError || !reader) {
      outlet.end(refusal ?? new MusterError("unsupported", "this agent keeps no output of tasks"));
      return { receive: () => {}, drained: () => {}, closed: () => {} };
    }
    const question = {
      id: task.id,
      streams: streamsOf(request.stream),
      follow: request.follow,
      // The last lines that match may be any of all.
      tailLines: matcher ? undefined : request.tailLines,
      since: request.since,
      timestamps: request.timestamps,
      ended: () => task.phase === "ended",
    };
    let forget: Cancel | undefined;
    const answers = answersTo(request, outlet, () => forget?.());
    const reading = reader.read(question, matcher ? new GrepSink(matcher, request.tailLines, answers) : answers);
    // The end of the task is the end of its output: a follower looks once more, and is done.
    forget = loop()?.whenEnded(task.id, () => reading.drained());
    const closed = (): void => {
      forget?.();
      reading.cancel();
    };
    return { receive: () => {}, drained: () => reading.drained(), closed };
  };
}

/** Undefined if all lines are wanted. */
function matcherOf(pattern: string): Matcher | MusterError | undefined {
  if (pattern === "") return undefined;
  try {
    return new Matcher(pattern);
  } catch (error) {
    if (error instanceof PatternError) return invalid("grep", error.message);
    throw error;
  }
}

function answersTo(request: LogsRequest, outlet: Outlet<LogsResponse>, ended: () => void): LogSink {
  const gaps = new Set<OutputStream>();
  return {
    ready: () => outlet.ready(),
    data: (stream, data, at) =>
      outlet.send({
        stream: stream === "stdout" ? LogStream.LOG_STREAM_STDOUT : LogStream.LOG_STREAM_STDERR,
        data,
        writtenAt: request.timestamps ? at : 0,
        gap: gaps.delete(stream),
      }),
    lost: (stream) => gaps.add(stream),
    caughtUp: () => {},
    end: (error) => {
      ended();
      outlet.end(error);
    },
  };
}

function streamsOf(stream: LogStream): readonly OutputStream[] {
  if (stream === LogStream.LOG_STREAM_STDOUT) return ["stdout"];
  if (stream === LogStream.LOG_STREAM_STDERR) return ["stderr"];
  return ["stdout", "stderr"];
}
