export { createExecutor } from "./executor.ts";
export { type RunExecutorOptions, runExecutor } from "./run-executor.ts";
export type { Executor, ExecutorConfig, ExecutorHandler, ExecutorTask, TaskNews } from "./types.ts";
