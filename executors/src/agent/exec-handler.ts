import { emptyMessage, invalid, MusterError, type Outlet, type StreamHandler } from "@muster/foundation";
import type { ExecResponse, ExecStart, TerminalSize } from "@muster/proto";
import { findDriver } from "../drivers/drivers.ts";
import { isSignal } from "../exec/beside-files.ts";
import { findNetwork } from "../networks/networks.ts";
import type { ExecRunner, ExecSession, TerminalDimensions } from "../world/task-files.ts";
import type { Task } from "./core/model.ts";
import type { AgentLoop } from "./loop.ts";

/** Bytes of input that may wait for the command to read. */
export const execInputBytesMax = 1024 * 1024;
/** Words of a command, and bytes of all of them. */
export const execWordsMax = 4_096;
export const execCommandBytesMax = 128 * 1024;
/** Variables that a caller may add, and bytes of each. */
export const execVariablesMax = 64;
export const execVariableBytesMax = 32 * 1024;
/** A terminal of which nobody said how large it is. */
const terminalDefault: TerminalDimensions = { columns: 80, rows: 24 };
const terminalSideMax = 65_535;

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
        const wrong = problemOfOrders(message.resize, message.signal);
        if (wrong) {
          session?.kill();
          outlet.end(wrong);
          return;
        }
        if (message.resize) session?.resize(dimensionsOf(message.resize));
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
  const problem = problemOfStart(start);
  if (problem) return problem;
  if (task.phase !== "running") return new MusterError("wrong-state", `task ${task.info.taskId} is not running`);
  if (count >= sessionsMax) return new MusterError("too-many", `${sessionsMax} commands run already, the maximum`);
  return undefined;
}

function problemOfStart({ command, environment, size }: ExecStart): MusterError | undefined {
  if (command.length === 0 || command[0] === "") return invalid("start.command", "must not be empty");
  if (command.length > execWordsMax) return invalid("start.command", `at most ${execWordsMax} words`);
  if (command.reduce((sum, word) => sum + Buffer.byteLength(word), 0) > execCommandBytesMax)
    return invalid("start.command", `at most ${execCommandBytesMax} bytes`);
  if (command.some((word) => word.includes("\0"))) return invalid("start.command", "holds a zero byte");
  const variables = Object.entries(environment);
  if (variables.length > execVariablesMax) return invalid("start.environment", `at most ${execVariablesMax} variables`);
  for (const [name, value] of variables) {
    if (!/^[^=\0]+$/.test(name)) return invalid("start.environment", `"${name}" is no name of a variable`);
    if (value.includes("\0")) return invalid("start.environment", `${name} holds a zero byte`);
    if (Buffer.byteLength(value) > execVariableBytesMax)
      return invalid("start.environment", `${name} has more than ${execVariableBytesMax} bytes`);
  }
  return problemOfSize("start.size", size);
}

function problemOfOrders(resize: TerminalSize | null, signal: string): MusterError | undefined {
  if (signal !== "" && !isSignal(signal)) return invalid("signal", `"${signal}" is no signal`);
  return problemOfSize("resize", resize);
}

function problemOfSize(field: string, size: TerminalSize | null): MusterError | undefined {
  if (!size || Math.max(size.columns, size.rows) <= terminalSideMax) return undefined;
  return invalid(field, `a side has at most ${terminalSideMax} characters`);
}

function dimensionsOf(size: TerminalSize | null): TerminalDimensions {
  return size && size.columns > 0 && size.rows > 0 ? { columns: size.columns, rows: size.rows } : terminalDefault;
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
  const { environment } = driver.plan(task, config, network);
  const send = (fields: Partial<ExecResponse>): void => {
    outlet.send({ ...emptyMessage("ExecResponse"), ...fields });
    if (!outlet.ready()) session.pause();
  };
  const session = runner.run(
    {
      id: task.id,
      pid: task.started?.pid ?? 0,
      startTicks: task.started?.startTicks ?? 0,
      command: [...start.command],
      environment: { ...environment, ...start.environment },
      terminal: start.tty ? dimensionsOf(start.size) : undefined,
    },
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
