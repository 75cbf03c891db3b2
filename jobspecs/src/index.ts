export type { Compiled, CompileInputs } from "./compile/compile.ts";
export { compileJob } from "./compile/compile.ts";
export type { Setting } from "./compile/settings.ts";
export { readSettings } from "./compile/settings.ts";
export type { VariableInputs } from "./compile/variables.ts";
export { type ConvertedJob, convertDocument, type Origin, originOf } from "./convert/convert.ts";
export type { Loss } from "./convert/nomad.ts";
export { renderAnnotations } from "./diagnostics/annotations.ts";
export type { Diagnostic, RelatedPlace } from "./diagnostics/diagnostic.ts";
export { renderDiagnostics } from "./diagnostics/render.ts";
export type { FileReader } from "./evaluate/scope.ts";
export { formatSource } from "./format/format.ts";
export { type GroupNeed, groupNeed, knownReference, portRequests, taskAmounts, taskDescription } from "./job/asks.ts";
export { type GroupBudget, groupBudget } from "./job/budgets.ts";
export { canonicalJson } from "./job/canonical.ts";
export { mainTask, probeOf } from "./job/checked.ts";
export { decodeJob } from "./job/decode-job.ts";
export { type Dependency, dependenciesOf, jobsNeeded } from "./job/dependencies.ts";
export { driverConfigJson } from "./job/driver-config.ts";
export { interpolate } from "./job/interpolate.ts";
export { isPassing, restartOf, restartsInPlace, type TaskLife, taskLifeOf } from "./job/life.ts";
export { type NetworkedAgent, networkWarnings } from "./job/network-warnings.ts";
export {
  type DispatchPayload,
  dispatchedJob,
  dispatchMark,
  dispatchParent,
  type Parameterized,
} from "./job/parameterized.ts";
export { JobInvalid } from "./job/reader.ts";
export { cronFieldsWithSeconds, cronProblem, intervalProblem, isTimeZone } from "./job/schedules.ts";
export { comparableJobs, maskedDefinition } from "./job/sensitive.ts";
export { isApart } from "./job/task-networks.ts";
export type {
  Check,
  CheckRestart,
  Constraint,
  ConstraintOperator,
  ContainerConfig,
  CronSchedule,
  Driver,
  GrpcCheck,
  HttpCheck,
  IntervalSchedule,
  Job,
  JobType,
  Lifecycle,
  LifecycleHook,
  MigrateStrategy,
  Network,
  NetworkDns,
  NetworkLimits,
  NetworkMode,
  NetworkPort,
  Overlap,
  OwnVolume,
  ReschedulePolicy,
  RestartPolicy,
  Schedule,
  ScriptCheck,
  Service,
  Task,
  TaskConfig,
  TaskGroup,
  TaskLogs,
  TaskResources,
  TcpCheck,
  UpdateStrategy,
} from "./job/types.ts";
export { hasOwnPorts, jobSchema, modeOfPort } from "./job/types.ts";
export { ownVolumes } from "./job/volumes.ts";
export type { Verdict } from "./reference/reference.ts";
export { askReference, crossCheck } from "./reference/reference.ts";
export { type Completion, completionsAt } from "./schema/complete.ts";
export { jobJsonSchema } from "./schema/json-schema.ts";
export { validateSource } from "./syntax/validate-source.ts";
