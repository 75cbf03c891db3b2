import { type Handlers, invalid, MusterError } from "@muster/foundation";
import type { TaskFiles } from "../world/task-files.ts";
import type { Task } from "./core/model.ts";

/** Files in one answer. */
export const filesPerAnswerMax = 1_000;
/** Folders that are listed, and files that are read, at one time. */
export const listingsMax = 16;
export const readingsMax = 32;

/** Shows the folder that a task works in. */
export function filesHandlers(
  find: (frameworkId: string, taskId: string) => Task | MusterError,
  files: TaskFiles | undefined,
): Pick<Handlers, "Tasks.ListFiles" | "Tasks.ReadFile"> {
  let listings = 0;
  let readings = 0;
  return {
    "Tasks.ListFiles": (request, _peer, respond) => {
      const task = find(request.frameworkId, request.taskId);
      const refusal = task instanceof MusterError ? task : listings >= listingsMax ? tooMany(listingsMax) : undefined;
      if (refusal || task instanceof MusterError || !files) {
        respond({ ok: false, error: refusal ?? unsupported() });
        return undefined;
      }
      const { path, after } = request;
      listings++;
      files.list({ id: task.id, path, after, countMax: filesPerAnswerMax }, (found, more, error) => {
        listings--;
        respond(error ? { ok: false, error } : { ok: true, value: { files: [...found], more } });
      });
      return undefined;
    },
    "Tasks.ReadFile": (request, outlet) => {
      const task = find(request.frameworkId, request.taskId);
      const refusal = task instanceof MusterError ? task : problemOf(request.offset, request.length, readings);
      if (refusal || task instanceof MusterError || !files) {
        outlet.end(refusal ?? unsupported());
        return { receive: () => {}, drained: () => {}, closed: () => {} };
      }
      const { path, offset, length } = request;
      readings++;
      let isOver = false;
      const leave = (): void => {
        if (!isOver) readings--;
        isOver = true;
      };
      const reading = files.read(
        { id: task.id, path, offset, length },
        {
          ready: () => outlet.ready(),
          data: (data, sizeBytes, identity) => outlet.send({ data, sizeBytes, identity }),
          end: (error) => {
            leave();
            outlet.end(error);
          },
        },
      );
      const close = (): void => {
        leave();
        reading.cancel();
      };
      return { receive: () => {}, drained: () => reading.drained(), closed: close };
    },
  };
}

function problemOf(offset: number, length: number, readings: number): MusterError | undefined {
  if (readings >= readingsMax) return tooMany(readingsMax);
  if (!Number.isSafeInteger(offset)) return invalid("offset", "is beyond what a file can have");
  if (!Number.isSafeInteger(length)) return invalid("length", "is beyond what a file can have");
  return undefined;
}

function tooMany(countMax: number): MusterError {
  return new MusterError("too-many", `${countMax} are being read from, the maximum`, { retryAfterMs: 1_000 });
}

function unsupported(): MusterError {
  return new MusterError("unsupported", "this agent shows no files of tasks");
}
