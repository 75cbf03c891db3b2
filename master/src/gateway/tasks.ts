import {
  type Inlet,
  invalid,
  isTerminal,
  MusterError,
  type Outlet,
  type RequestOf,
  type ResponseOf,
  type Result,
  type Transport,
} from "@muster/foundation";
import type { Framework, MasterState, Task } from "../core/model.ts";
import { taskRecord } from "../core/records.ts";
import type { Loop } from "../loop.ts";
import type { MasterHandlers } from "./guard.ts";
import type { ServedMethod } from "./rights.ts";

/** Messages that wait for a caller who reads slowly; beyond, he is cut off. */
const relayMessagesMax = 1_024;

type TaskHandlers = Pick<MasterHandlers, Extract<ServedMethod, `Tasks.${string}`>>;

interface TaskAddress {
  readonly frameworkId: string;
  readonly address: string;
}

/** The list is answered here; everything else by the task's agent, to which the call is relayed. */
export function serveTasks(loop: () => Loop, transport: Transport, timeoutMs: number): TaskHandlers {
  const relayCall =
    <M extends "Tasks.Kill" | "Tasks.Restart" | "Tasks.ListFiles" | "Tasks.Stats">(method: M) =>
    (request: RequestOf<M>, _peer: unknown, respond: (result: Result<ResponseOf<M>>) => void) => {
      const found = locate(loop().core.state, request.frameworkId, request.taskId);
      if (found instanceof MusterError) {
        respond({ ok: false, error: found });
        return undefined;
      }
      request.frameworkId = found.frameworkId;
      return transport.call(method, found.address, request, timeoutMs, respond);
    };
  const relayFollow =
    <M extends "Tasks.Logs" | "Tasks.ReadFile">(method: M) =>
    (request: RequestOf<M>, outlet: Outlet<ResponseOf<M>>): Inlet<never> => {
      const found = locate(loop().core.state, request.frameworkId, request.taskId);
      if (found instanceof MusterError) {
        outlet.end(found);
        return { receive: () => {}, drained: () => {}, closed: () => {} };
      }
      request.frameworkId = found.frameworkId;
      const buffer = new RelayBuffer<ResponseOf<M>>(outlet);
      const cancel = transport.follow(method, found.address, request, {
        receive: (message) => {
          if (!buffer.add(message)) cancel();
        },
        drained: () => {},
        closed: (error) => buffer.end(error),
      });
      return { receive: () => {}, drained: () => buffer.drain(), closed: () => cancel() };
    };
  return {
    "Tasks.List": (request, _peer, respond) => {
      const tasks = listTasks(loop().core.state, request).map((task) => taskRecord(task));
      respond({ ok: true, value: { tasks } });
      return undefined;
    },
    "Tasks.Logs": relayFollow("Tasks.Logs"),
    "Tasks.ReadFile": relayFollow("Tasks.ReadFile"),
    "Tasks.Exec": (outlet) => relayExec(loop, transport, outlet),
    "Tasks.Kill": relayCall("Tasks.Kill"),
    "Tasks.Restart": relayCall("Tasks.Restart"),
    "Tasks.ListFiles": relayCall("Tasks.ListFiles"),
    "Tasks.Stats": relayCall("Tasks.Stats"),
  };
}

/** In order of ids. O(tasks of the frameworks that are asked for). */
function listTasks(state: MasterState, request: RequestOf<"Tasks.List">): Task[] {
  const tasks: Task[] = [];
  const take = (task: Task): void => {
    const { agent } = task.group;
    if (request.agent !== "" && agent.id !== request.agent && agent.name !== request.agent) return;
    if (!request.includeTerminal && isTerminal(task.state)) return;
    if (task.id.startsWith(request.prefix)) tasks.push(task);
  };
  for (const framework of state.frameworks.values()) {
    if (request.framework !== "" && framework.id !== request.framework && framework.name !== request.framework)
      continue;
    for (const task of framework.tasks.values()) take(task);
    if (request.includeTerminal) for (const task of framework.history.values()) take(task);
  }
  return tasks.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Where a task is or was; of several with one id the living one. O(frameworks). */
function locate(state: MasterState, frameworkId: string, taskId: string): TaskAddress | MusterError {
  if (taskId === "") return invalid("task_id", "must not be empty");
  let frameworks: Iterable<Framework> = state.frameworks.values();
  if (frameworkId !== "") {
    const framework = state.frameworks.get(frameworkId);
    if (framework === undefined) return new MusterError("not-found", `no framework ${frameworkId}`);
    frameworks = [framework];
  }
  let living: Task[] = [];
  const ended: Task[] = [];
  for (const framework of frameworks) {
    const task = framework.tasks.get(taskId) ?? framework.history.get(taskId);
    if (task) (isTerminal(task.state) ? ended : living).push(task);
  }
  if (living.length === 0) living = ended;
  const task = living[0];
  if (task === undefined) {
    if (state.awaited.size > 0)
      return new MusterError(
        "unavailable",
        `task ${taskId} is in doubt: ${state.awaited.size} agents are not back yet`,
        {
          retryAfterMs: 1_000,
        },
      );
    return new MusterError("not-found", `no task ${taskId}`);
  }
  if (living.length > 1)
    return invalid("framework_id", `several frameworks have a task ${taskId}: say which framework is meant`);
  const { agent, framework } = task.group;
  if (agent.connection === 0)
    return new MusterError("unavailable", `agent ${agent.name}, which has task ${taskId}, is not connected`, {
      retryAfterMs: 1_000,
    });
  return { frameworkId: framework.id, address: agent.address };
}

/** Holds back what the caller does not take yet, up to a limit. */
class RelayBuffer<M> {
  readonly #outlet: Outlet<M>;
  #waiting: M[] = [];
  #end: { error: MusterError | undefined } | undefined;
  #over = false;

  constructor(outlet: Outlet<M>) {
    this.#outlet = outlet;
  }

  /** False: the caller reads too slowly and was cut off. */
  add(message: M): boolean {
    if (this.#over) return false;
    this.#waiting.push(message);
    this.drain();
    if (this.#waiting.length <= relayMessagesMax) return true;
    this.#over = true;
    this.#waiting = [];
    this.#outlet.end(new MusterError("slow-reader", `${relayMessagesMax} messages wait for the caller`));
    return false;
  }

  drain(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.#outlet.ready()) this.#outlet.send(this.#waiting[sent++] as M);
    if (sent > 0) this.#waiting = this.#waiting.slice(sent);
    if (this.#waiting.length > 0 || this.#end === undefined || this.#over) return;
    this.#over = true;
    this.#outlet.end(this.#end.error);
  }

  end(error: MusterError | undefined): void {
    this.#end = { error };
    this.drain();
  }
}

/** Both ways; the first message says which task is meant. */
function relayExec(
  loop: () => Loop,
  transport: Transport,
  outlet: Outlet<ResponseOf<"Tasks.Exec">>,
): Inlet<RequestOf<"Tasks.Exec">> {
  const buffer = new RelayBuffer(outlet);
  let upstream: Outlet<RequestOf<"Tasks.Exec">> | undefined;
  let waiting: RequestOf<"Tasks.Exec">[] = [];
  let over = false;
  const fail = (error: MusterError): void => {
    over = true;
    buffer.end(error);
    upstream?.end(error);
  };
  const pump = (): void => {
    let sent = 0;
    while (upstream && sent < waiting.length && upstream.ready())
      upstream.send(waiting[sent++] as RequestOf<"Tasks.Exec">);
    if (sent > 0) waiting = waiting.slice(sent);
  };
  const open = (start: NonNullable<RequestOf<"Tasks.Exec">["start"]>): void => {
    const found = locate(loop().core.state, start.frameworkId, start.taskId);
    if (found instanceof MusterError) {
      fail(found);
      return;
    }
    start.frameworkId = found.frameworkId;
    upstream = transport.open("Tasks.Exec", found.address, {
      receive: (message) => {
        if (!buffer.add(message)) fail(new MusterError("slow-reader", "the caller reads too slowly"));
      },
      drained: pump,
      closed: (error) => {
        over = true;
        buffer.end(error);
      },
    });
  };
  return {
    receive: (message) => {
      if (over) return;
      if (upstream === undefined) {
        if (message.start === null) return fail(invalid("start", "must be in the first message"));
        open(message.start);
        if (over) return;
      }
      waiting.push(message);
      if (waiting.length > relayMessagesMax)
        return fail(new MusterError("slow-reader", "the command reads too slowly"));
      pump();
    },
    drained: () => buffer.drain(),
    closed: (error) => {
      over = true;
      upstream?.end(error);
    },
  };
}
