import { type Handlers, MusterError } from "@muster/foundation";
import { StatusReason } from "@muster/proto";
import type { GroupFiles } from "../world/group-files.ts";
import type { ExecRunner, LogReader, TaskFiles, TaskMeter } from "../world/task-files.ts";
import type { CompleteConfig } from "./config.ts";
import type { AgentState, Task } from "./core/model.ts";
import { execHandler } from "./exec-handler.ts";
import { filesHandlers } from "./files-handlers.ts";
import { leftFilesHandler } from "./left-files-handler.ts";
import { logsHandler } from "./logs-handler.ts";
import type { AgentLoop } from "./loop.ts";
import { statsHandler } from "./stats-handler.ts";

export interface TaskFilesDeps {
  readonly logReader?: LogReader;
  readonly execRunner?: ExecRunner;
  readonly taskFiles?: TaskFiles;
  readonly taskMeter?: TaskMeter;
  readonly groupFiles?: GroupFiles;
}

/** What the agent serves itself. The loop is absent until its records have been read. */
export function tasksHandlers(
  loop: () => AgentLoop | undefined,
  deps: TaskFilesDeps,
  config: CompleteConfig,
): Handlers {
  const find = (frameworkId: string, taskId: string): Task | MusterError => {
    const state = loop()?.state;
    if (!state) return new MusterError("unavailable", "the agent is beginning", { retryAfterMs: 1_000 });
    return findTask(state, frameworkId, taskId);
  };
  /** Output, files and processes of a task that is given to an executor are the executor's. */
  const findOwn = (frameworkId: string, taskId: string): Task | MusterError => {
    const task = find(frameworkId, taskId);
    if (task instanceof MusterError || !task.served) return task;
    const { self } = task.served;
    const message = `task ${taskId} has no process of its own: look at its executor, task ${self.info.taskId}`;
    return new MusterError("unsupported", message);
  };
  return {
    "Tasks.Kill": (request, _peer, respond) => {
      const task = find(request.frameworkId, request.taskId);
      if (task instanceof MusterError) {
        respond({ ok: false, error: task });
        return undefined;
      }
      const { graceMs } = request;
      const reason = StatusReason.REASON_KILLED_BY_FRAMEWORK;
      const { frameworkId } = task.group;
      loop()?.post({ type: "kill", frameworkId, taskId: task.info.taskId, graceMs, reason });
      respond({ ok: true, value: {} });
      return undefined;
    },
    "Tasks.Logs": logsHandler(findOwn, loop, deps.logReader),
    "Tasks.Exec": execHandler(findOwn, loop, deps.execRunner, config.execSessionsMax),
    ...filesHandlers(findOwn, deps.taskFiles),
    "Tasks.Stats": statsHandler(findOwn, deps.taskMeter),
    "LeftFiles.Take": leftFilesHandler(loop, deps.groupFiles),
  };
}

/** The latest launch of a task; without a framework only if one framework alone has a task of that id. */
export function findTask(state: AgentState, frameworkId: string, taskId: string): Task | MusterError {
  const found = [...state.tasks.values()].filter(
    (task) => task.info.taskId === taskId && (frameworkId === "" || task.group.frameworkId === frameworkId),
  );
  if (new Set(found.map((task) => task.group.frameworkId)).size > 1)
    return new MusterError("invalid", `framework_id: several frameworks have a task ${taskId}`, {
      field: "framework_id",
    });
  const task = found.find(({ phase }) => phase !== "ended") ?? found.at(-1);
  return task ?? new MusterError("not-found", `no task ${taskId} on this agent`);
}
