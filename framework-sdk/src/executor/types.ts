import type { StatusReason } from "@muster/proto";

/** What an executor says of a task beside its state. */
export interface TaskNews {
  /** For people; at most 1,024 characters are kept. */
  readonly message?: string;
  /** Default: as before, at first unknown. */
  readonly health?: "healthy" | "unhealthy";
  readonly exitCode?: number;
  /** Name of the signal that ended it, for instance "SIGKILL". */
  readonly signal?: string;
  /** Those that an executor can know: the command ended, a limit was exceeded and the like. Default: none. */
  readonly reason?: StatusReason;
}

/** A task that the executor was given. Each of the calls is one update: kept until the agent has it on its disk. */
export interface ExecutorTask {
  readonly taskId: string;
  readonly launchId: string;
  /** What people call it. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What its framework wants run; an executor that runs no programs may leave all three empty. */
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What its framework said for the executor alone; undefined if nothing. */
  readonly data: unknown;
  /** The ports of its group on the host. */
  readonly ports: readonly { readonly label: string; readonly number: number }[];
  /** Its end has been reported. */
  readonly isOver: boolean;
  /** It runs. May be called again, with another message or health. */
  running(news?: TaskNews): void;
  /** It ended well. After an end every further call does nothing. */
  finished(news?: TaskNews): void;
  /** It ended badly. */
  failed(news?: TaskNews): void;
  /** It ended because it was to end. */
  killed(news?: TaskNews): void;
}

/** What an author writes. Called one at a time, in the order of the agent's messages. */
export interface ExecutorHandler {
  /** Starts a task: `running` and an end are to be told. What it throws is the task's failure. */
  launch(task: ExecutorTask): void;
  /** Ends a task, whose end is to be told within the grace: the agent kills an executor that lets 5 s more pass. */
  kill(task: ExecutorTask, graceMs: number): void;
  /** Bytes from the framework. Default: they are dropped. */
  message?(data: Uint8Array): void;
  /** The executor is to end. Default: every task is killed, and that is waited for. */
  shutdown?(tasks: readonly ExecutorTask[], graceMs: number): void;
}

export interface ExecutorConfig {
  /** Where the agent listens, for instance "unix:/run/muster/agent". */
  readonly address: string;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly token: string;
  /** For so long a lost agent is waited for; then the executor ends itself. Default: 15 min. */
  readonly recoveryTimeoutMs?: number;
  /** What may pass between the order to end and the end. Default: 5,000 ms. */
  readonly shutdownGraceMs?: number;
  /** Called once when nothing is left to be done; a program exits then. */
  readonly ended: () => void;
}

/** A custom executor: it attaches to its agent, again and again, and loses no update on the way. */
export interface Executor {
  start(): void;
  /** Ends as if the agent had said so. */
  shutdown(): void;
  /** Tasks that have not ended. */
  readonly tasks: readonly ExecutorTask[];
  readonly isAttached: boolean;
  /** Sends bytes to the framework, at most 64 KiB. At most once: false if there is no agent to take them now. */
  send(data: Uint8Array | string): boolean;
}
