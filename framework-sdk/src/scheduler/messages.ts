import { batchShape, resources } from "@muster/foundation";
import {
  type FrameworkInfo,
  Health,
  StatusReason,
  StatusSource,
  type SubscribeRequest,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import type { FrameworkDescription } from "./types.ts";

export function frameworkInfo(description: FrameworkDescription): FrameworkInfo {
  const info: FrameworkInfo = {
    name: description.name,
    roles: [...description.roles],
    jobTypes: [...(description.jobTypes ?? [])],
    principal: description.principal ?? "",
    labels: { ...description.labels },
    capabilities: [...(description.capabilities ?? [])],
    minimumOffer: description.minimumOffer ? resources(description.minimumOffer) : null,
    offerConstraints: [...(description.offerConstraints ?? [])],
    version: description.version ?? "",
  };
  if (description.failoverTimeoutMs !== undefined) info.failoverTimeoutMs = description.failoverTimeoutMs;
  return info;
}

/** What a launch comes to that never left this process. */
export function makeDroppedStatus(taskId: string, launchId: string, at: number): TaskStatus {
  return {
    taskId,
    launchId,
    frameworkId: "",
    agentId: "",
    state: TaskState.TASK_DROPPED,
    reason: StatusReason.REASON_INVALID_OFFERS,
    source: StatusSource.STATUS_SOURCE_UNSPECIFIED,
    message: "not sent: there is no session with a master, and its offers are void",
    updateId: "",
    sequence: 0,
    at,
    health: Health.HEALTH_UNSPECIFIED,
    signal: "",
    container: null,
  };
}

/** Of what a framework says in one tick one message is made, its fields in the order in which the master acts on them. */
export const requestShape = batchShape<SubscribeRequest>(
  [
    "subscription",
    "acknowledgements",
    "kills",
    "declines",
    "accepts",
    "suppresses",
    "revives",
    "reconciles",
    "frameworkUpdate",
    "claims",
    "demands",
    "executorMessages",
    "executorShutdowns",
    "inverseOfferAnswers",
    "operationAcknowledgements",
  ],
  () => ({
    subscription: null,
    acknowledgements: [],
    kills: [],
    declines: [],
    accepts: [],
    suppresses: [],
    revives: [],
    reconciles: [],
    frameworkUpdate: null,
    claims: [],
    demands: [],
    executorMessages: [],
    executorShutdowns: [],
    inverseOfferAnswers: [],
    operationAcknowledgements: [],
    teardown: null,
  }),
);
