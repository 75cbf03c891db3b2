export type { SecretSettings, TemplateSettings } from "@muster/foundation";
export {
  addResources,
  type Cancel,
  type Clock,
  type Codec,
  codecOf,
  containsResources,
  countStart,
  createLog,
  describeShortage,
  type ErrorKind,
  emptyMessage,
  formatResources,
  grpcTransport,
  invalid,
  isEmptyResources,
  isTerminal,
  type Log,
  MusterError,
  missingResource,
  noResources,
  type Random,
  type Resources,
  type Result,
  randomText,
  resources,
  revocableCapability,
  revocableCpu,
  seededRandom,
  silentLog,
  subtractResources,
  systemClock,
  systemRandom,
  type Transport,
  taskStateName,
} from "@muster/foundation";
export {
  type AgentRejection,
  AgentStanding,
  AgentState,
  type AssignedPort,
  CheckAction,
  type Deployment,
  type DeploymentGroup,
  DeploymentState,
  type ExecutorInfo,
  type GroupVolume,
  Health,
  type HealthCheck,
  type HistoryResponse,
  type InstanceMove,
  type JobInstance,
  type JobRun,
  JobState,
  type JobStatus,
  type JobSubmission,
  type JobSummary,
  type JobsWatchResponse,
  type JobVersion,
  type JobVolume,
  JobVolumeState,
  type Obstacle,
  type Offer,
  type Operation,
  type OperationResult,
  PlanAction,
  type PlanChange,
  type PlanGroup,
  type PlanPlacement,
  type PlanResponse,
  type PortRequest,
  type ReservedPart,
  RunState,
  type ServiceEndpoint,
  StatusReason,
  StatusSource,
  SteerAction,
  type TaskGroup,
  type TaskInfo,
  type TaskQuestion,
  type TaskSpec,
  TaskState,
  type TaskStatus,
  type Volume,
} from "@muster/proto";
export {
  type ClusterAgent,
  type ClusterView,
  type ClusterViewConfig,
  createClusterView,
  isUsable,
} from "./cluster/cluster-view.ts";
export { masterAddressDefault } from "./connection/addresses.ts";
export { AgentRefusals } from "./framework/agent-refusals.ts";
export {
  type Action,
  type Actions,
  defineFramework,
  type FrameworkContext,
  type FrameworkDefinition,
  type FrameworkTask,
} from "./framework/define.ts";
export { type LifeSettings, taskLife } from "./framework/life.ts";
export {
  furtherNetworks,
  groupNetwork,
  type NetworkBounds,
  type NetworkSettings,
  networkConstraints,
} from "./framework/network.ts";
export { type FrameworkRun, type RunOptions, runFramework } from "./framework/run.ts";
export { taskFiles } from "./framework/task-files.ts";
export {
  backoff,
  type Command,
  command,
  type ExecutorTemplate,
  http,
  type RestartBackoff,
  type TaskTemplate,
  tcp,
} from "./framework/tasks.ts";
export { createJobFollower, type JobFollower, type JobFollowerConfig } from "./jobs/job-follower.ts";
export {
  createJobServer,
  type JobCaller,
  type JobHandlers,
  type JobMethod,
  type JobServer,
  type JobServerConfig,
  type Replier,
} from "./jobs/job-server.ts";
export { agentRoom } from "./placement/agent-room.ts";
export { type AttributeConditions, attr, distinctHosts } from "./placement/attr.ts";
export { spreadsOf } from "./placement/candidates.ts";
export {
  type ConstraintOperator,
  constraintFault,
  type Neighbours,
  noNeighbours,
  type PlacementConstraint,
  patternFault,
} from "./placement/constraints.ts";
export { DemandTeller, type Waits } from "./placement/demand-teller.ts";
export { waitingInPlan } from "./placement/demanded.ts";
export { canRunThere, isAmongAll, pinnedTo, traitsOf } from "./placement/every-agent.ts";
export { demandOn, type Fit, fit, type Need, type Room, roomOf } from "./placement/fit.ts";
export { isLeavingOffer, maintenanceAheadMs } from "./placement/maintenance.ts";
export { Matcher, type Placement, type Rejection } from "./placement/matcher.ts";
export { type PlacementObstacle, sumUpRejections } from "./placement/obstacles.ts";
export type { Occupant, Occupants } from "./placement/occupancy.ts";
export { OpenRoom } from "./placement/open-room.ts";
export type { PortsInPart, StaticPort } from "./placement/ports.ts";
export { type Affinity, affinityScore, type Spread } from "./placement/preferences.ts";
export { type AgentTraits, resolveText, traitOf } from "./placement/references.ts";
export { type NodeRuntime, nodeRuntime } from "./runtime/node-runtime.ts";
export type { Runtime } from "./runtime/runtime.ts";
export type { ClaimAnswer, ClaimOptions, ClaimRequest } from "./scheduler/claims.ts";
export {
  type CreateVolumeOptions,
  createVolume,
  destroyVolume,
  type OperationOptions,
  type ReserveOptions,
  reserve,
  resizeVolume,
  unreserve,
} from "./scheduler/operations.ts";
export { createScheduler } from "./scheduler/scheduler.ts";
export type {
  AcceptOptions,
  DemandedShape,
  FrameworkDescription,
  Reconciliation,
  Scheduler,
  SchedulerConfig,
  SchedulerHandler,
  Session,
} from "./scheduler/types.ts";
export {
  createStateClient,
  type StateClient,
  type StateClientConfig,
  type StateRecord,
  type StateWrite,
} from "./state/state-client.ts";
