import { resources } from "@muster/foundation";
import { type FrameworkInfo, Health, StatusReason, StatusSource, TaskState, type TaskStatus } from "@muster/proto";
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
