export type { CronState, JobEntry, Run, RunPhase } from "./core/model.ts";
export { type CronConfig, type CronFramework, createCron } from "./cron.ts";
