import { type Cancel, type FollowHandler, MusterError } from "@muster/foundation";
import { LogStream } from "@muster/proto";
import type { LogReader, OutputStream } from "../world/task-files.ts";
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
    const refusal = task instanceof MusterError ? task : whyNot(request.since, reader);
    if (refusal || task instanceof MusterError || !reader) {
      outlet.end(refusal);
      return { receive: () => {}, drained: () => {}, closed: () => {} };
    }
    const question = {
      id: task.id,
      streams: streamsOf(request.stream),
      follow: request.follow,
      tailLines: request.tailLines,
      ended: () => task.phase === "ended",
    };
    let forget: Cancel | undefined;
    const reading = reader.read(question, {
      ready: () => outlet.ready(),
      data: (stream, data) =>
        outlet.send({ stream: stream === "stdout" ? LogStream.LOG_STREAM_STDOUT : LogStream.LOG_STREAM_STDERR, data }),
      end: (error) => {
        forget?.();
        outlet.end(error);
      },
    });
    // The end of the task is the end of its output: a follower looks once more, and is done.
    forget = loop()?.whenEnded(task.id, () => reading.drained());
    const closed = (): void => {
      forget?.();
      reading.cancel();
    };
    return { receive: () => {}, drained: () => reading.drained(), closed };
  };
}

function whyNot(since: number, reader: LogReader | undefined): MusterError | undefined {
  if (!reader) return new MusterError("unsupported", "this agent keeps no output of tasks");
  if (since > 0)
    return new MusterError("unsupported", "since: lines have no times; use tail_lines", { field: "since" });
  return undefined;
}

function streamsOf(stream: LogStream): readonly OutputStream[] {
  if (stream === LogStream.LOG_STREAM_STDOUT) return ["stdout"];
  if (stream === LogStream.LOG_STREAM_STDERR) return ["stderr"];
  return ["stdout", "stderr"];
}
