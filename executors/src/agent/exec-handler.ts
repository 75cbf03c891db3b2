import { emptyMessage, MusterError, type Outlet, type StreamHandler } from "@muster/foundation";
import type { ExecResponse, ExecStart } from "@muster/proto";
import { findDriver } from "../drivers/drivers.ts";
import { findNetwork } from "../networks/networks.ts";
import type { ExecRunner, ExecSession } from "../world/task-files.ts";
import type { Task } from "./core/model.ts";
import type { AgentLoop } from "./loop.ts";

/** Bytes of input that may wait for the command to read. */
export const execInputBytesMax = 1024 * 1024;

/** Runs commands beside tasks: same working folder, environment and account. Sessions end with their task. */
export function execHandler(
  find: (frameworkId: string, taskId: string) => Task | MusterError,
  loop: () => AgentLoop | undefined,
  runner: ExecRunner | undefined,
  sessionsMax: number,
): StreamHandler<"Tasks.Exec"> {
  let count = 0;
  return (outlet) => {
    let session: ExecSession | undefined;
    const begin = (start: ExecStart): void => {
      const task = find(start.frameworkId, start.taskId);
      const refusal = task instanceof MusterError ? task : whyNot(task, start, runner, count, sessionsMax);
      const agent = loop();
      if (refusal || task instanceof MusterError || !runner || !agent) {
        outlet.end(refusal);
        return;
      }
      count++;
      const forget = agent.whenEnded(task.id, () => session?.kill());
      session = runSession(runner, task, start, outlet, agent.state.config, () => {
        count--;
        session = undefined;
        forget();
      });
    };
    return {
      receive: (message) => {
        if (message.start && !session) begin(message.start);
        if (message.stdin.length > 0 && session?.write(Buffer.from(message.stdin)) === false) {
          session.kill();
          outlet.end(new MusterError("too-many", `more than ${execInputBytesMax} bytes wait for the command to read`));
        }
        if (message.stdinEnd) session?.endInput();
        if (message.signal !== "") session?.signal(message.signal);
      },
      drained: () => session?.resume(),
      closed: () => session?.kill(),
    };
  };
}

function whyNot(
  task: Task,
  start: ExecStart,
  runner: ExecRunner | undefined,
  count: number,
  sessionsMax: number,
): MusterError | undefined {
  if (!runner) return new MusterError("unsupported", "this agent runs no commands beside tasks");
  if (start.tty) return new MusterError("unsupported", "tty: this agent has no terminals", { field: "start.tty" });
  if (start.command.length === 0)
    return new MusterError("invalid", "start.command: must not be empty", { field: "start.command" });
  if (task.phase !== "running") return new MusterError("wrong-state", `task ${task.info.taskId} is not running`);
  if (count >= sessionsMax) return new MusterError("too-many", `${sessionsMax} commands run already, the maximum`);
  return undefined;
}

function runSession(
  runner: ExecRunner,
  task: Task,
  start: ExecStart,
  outlet: Outlet<ExecResponse>,
  config: AgentLoop["state"]["config"],
  ended: () => void,
): ExecSession | undefined {
  const driver = findDriver(task.spec.driver);
  const network = findNetwork(task.group.networkMode);
  if (!driver || !network) return undefined;
  const { environment, user } = driver.plan(task, config, network);
  const send = (fields: Partial<ExecResponse>): void => {
    outlet.send({ ...emptyMessage("ExecResponse"), ...fields });
    if (!outlet.ready()) session.pause();
  };
  const session = runner.run(
    { id: task.id, command: [...start.command], environment, user },
    {
      stdout: (stdout) => send({ stdout }),
      stderr: (stderr) => send({ stderr }),
      ended: (exitCode, signal) => {
        ended();
        outlet.send({ ...emptyMessage("ExecResponse"), end: { exitCode, signal } });
        outlet.end();
      },
      failed: (error) => {
        ended();
        outlet.end(error);
      },
    },
  );
  return session;
}
