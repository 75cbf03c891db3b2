export { type Packing, packingOfName } from "./artifacts/archives.ts";
export {
  type ArtifactProblem,
  type ArtifactRead,
  type ArtifactText,
  type ArtifactWish,
  artifactModes,
  artifactOptions,
  type Checksum,
  type ChecksumKind,
  checksumIn,
  type FetchedFile,
  type FetchedRepository,
  type FilePlace,
  readArtifact,
  sourceLengthMax,
  sourceShown,
} from "./artifacts/read-artifact.ts";
export {
  environmentKey,
  fileKey,
  flagKey,
  flagOption,
  integerOption,
  listOption,
  type Option,
  type Origin,
  type Resolved,
  resolveConfig,
  type Schema,
  type Sources,
  textOption,
  type ValuesOf,
} from "./config/config.ts";
export { fromGrpcStatus, toGrpcStatus } from "./errors/grpc-status.ts";
export {
  AssertionError,
  assert,
  type ErrorDetails,
  type ErrorKind,
  invalid,
  MusterError,
  type Result,
} from "./errors/muster-error.ts";
export { createLog, type LogLevel, type LogOptions } from "./logging/create-log.ts";
export { type Log, type LogFields, silentLog } from "./logging/log.ts";
export type { Metrics } from "./metrics/metrics.ts";
export { overlayDigest } from "./overlays/digest.ts";
export { type Random, randomInt, randomText, seededRandom } from "./random/random.ts";
export { systemRandom } from "./random/system-random.ts";
export {
  addResources,
  containsResources,
  describeShortage,
  formatResources,
  isEmptyResources,
  isNegativeResources,
  missingResource,
  noResources,
  type Resources,
  resources,
  type Shortage,
  sameResources,
  subtractResources,
} from "./resources/resources.ts";
export {
  revocableCapability,
  revocableCpu,
  revocableCpuMillis,
  withoutRevocable,
  withRevocable,
} from "./resources/revocable.ts";
export { ResourceSum } from "./resources/sum.ts";
export { type Codec, codecOf, emptyMessage, methodCodecs } from "./rpc/codec.ts";
export { type CredentialsProvider, loopbackCredentials } from "./rpc/credentials.ts";
export { methodDefinition } from "./rpc/definition.ts";
export { type GrpcServer, type GrpcServerOptions, serveGrpc } from "./rpc/grpc-server.ts";
export { clientOptions, type GrpcTransport, grpcTransport, messageBytesMax } from "./rpc/grpc-transport.ts";
export { isStandby, Masters, standbyRetryMs } from "./rpc/masters.ts";
export type { MessageName, MethodName, RequestOf, ResponseOf } from "./rpc/method.ts";
export { type BatchShape, batchBytesMax, batchShape, Outbox, type OutboxLimits, outboxLimits } from "./rpc/outbox.ts";
export type {
  CallHandler,
  FollowHandler,
  HandlerOf,
  Handlers,
  Inlet,
  Outlet,
  Peer,
  StreamHandler,
  Transport,
} from "./rpc/transport.ts";
export {
  type Store,
  type StoreChange,
  type StoreCompare,
  type StoreEntry,
  type StoreOutcome,
  type StoreTransaction,
  storeKeyBytesMax,
  storeTransactionBytesMax,
  storeValueBytesMax,
  storeWritesMax,
} from "./store/contract.ts";
export {
  checkTransaction,
  MemoryStore,
  type MemoryStoreData,
  memoryStore,
  memoryStoreData,
  type StoreFault,
} from "./store/memory.ts";
export { addressOfEndpoint } from "./tasks/endpoints.ts";
export {
  type PriorityClass,
  preemptionDistance,
  priorityClasses,
  priorityClassOf,
  priorityDefault,
  priorityMax,
} from "./tasks/priority.ts";
export {
  checksLabel,
  panicLabel,
  publishNotReadyLabel,
  type Standing,
  standingOf,
  ttlLabel,
} from "./tasks/standing.ts";
export { isTerminal, taskStateName } from "./tasks/states.ts";
export {
  type SecretSettings,
  secretProviders,
  type TemplateChangeMode,
  type TemplateScript,
  type TemplateSettings,
  templateChanges,
} from "./tasks/task-files.ts";
export { needText, type ServiceInstance, type TemplateData, type TemplateNeed } from "./templates/data.ts";
export { missingText, type Rendered, type RenderOptions, renderTemplate } from "./templates/evaluate.ts";
export { faultText, placeIn, TemplateFault } from "./templates/fault.ts";
export { templateLengthMax } from "./templates/limits.ts";
export { parseTemplate } from "./templates/parse.ts";
export { type Delimiters, plainDelimiters } from "./templates/scan.ts";
export type { Template } from "./templates/tree.ts";
export { compilePattern, type Pattern, patternDepthMax, patternStepsMax } from "./text/pattern.ts";
export { PatternFault } from "./text/pattern-syntax.ts";
export { editDistance, suggest } from "./text/suggest.ts";
export type { Cancel, Clock } from "./time/clock.ts";
export { countStart } from "./time/count-start.ts";
export { systemClock } from "./time/system-clock.ts";
