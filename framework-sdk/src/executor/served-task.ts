import { codecOf } from "@muster/foundation";
import {
  Health,
  StatusReason,
  StatusSource,
  type TaskGroup,
  type TaskInfo,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import type { ExecutorTask, TaskNews } from "./types.ts";

/** One task of an executor: turns what its author says into numbered updates. */
export class ServedTask implements ExecutorTask {
  readonly taskId: string;
  readonly launchId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly data: unknown;
  readonly ports: readonly { readonly label: string; readonly number: number }[];
  readonly #tell: (status: TaskStatus) => void;
  readonly #epochMs: () => number;
  #sequence = 0;
  #health: Health = Health.HEALTH_UNSPECIFIED;
  #isOver = false;

  constructor(group: TaskGroup, info: TaskInfo, epochMs: () => number, tell: (status: TaskStatus) => void) {
    const spec = codecOf("TaskSpec").decode(info.spec);
    this.taskId = info.taskId;
    this.launchId = group.launchId;
    this.name = info.name;
    this.labels = { ...info.labels };
    this.command = spec.command;
    this.arguments = [...spec.arguments];
    this.environment = { ...spec.environment };
    this.data = parse(spec.driverConfigJson);
    this.ports = group.ports.map(({ label, number }) => ({ label, number }));
    this.#epochMs = epochMs;
    this.#tell = tell;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  running(news: TaskNews = {}): void {
    this.#report(TaskState.TASK_RUNNING, news);
  }

  finished(news: TaskNews = {}): void {
    this.#end(TaskState.TASK_FINISHED, news);
  }

  failed(news: TaskNews = {}): void {
    this.#end(TaskState.TASK_FAILED, news);
  }

  killed(news: TaskNews = {}): void {
    this.#end(TaskState.TASK_KILLED, news);
  }

  #end(state: TaskState, news: TaskNews): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#health = Health.HEALTH_UNSPECIFIED;
    this.#report(state, news, true);
  }

  #report(state: TaskState, news: TaskNews, isEnd = false): void {
    if (this.#isOver && !isEnd) return;
    if (news.health) this.#health = news.health === "healthy" ? Health.HEALTH_HEALTHY : Health.HEALTH_UNHEALTHY;
    const sequence = ++this.#sequence;
    const status: TaskStatus = {
      taskId: this.taskId,
      launchId: this.launchId,
      frameworkId: "",
      agentId: "",
      state,
      reason: news.reason ?? StatusReason.STATUS_REASON_UNSPECIFIED,
      source: StatusSource.STATUS_SOURCE_EXECUTOR,
      message: news.message ?? "",
      updateId: `${this.launchId.slice(-100)}.${this.taskId.slice(-100)}.${sequence}`,
      sequence,
      at: this.#epochMs(),
      health: this.#health,
      signal: news.signal ?? "",
      container: null,
    };
    if (news.exitCode !== undefined) status.exitCode = news.exitCode;
    this.#tell(status);
  }
}

/** What is no JSON was written by another kind of framework: it is handed on as it is. */
function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
