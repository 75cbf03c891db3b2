import { type Deployment, type DeploymentGroup, DeploymentState } from "@muster/proto";
import { enumWord } from "../../output/states.ts";
import { rfc3339 } from "../../output/times.ts";

/** "running", "awaiting promotion" and so on. */
export function deploymentWord({ state }: Deployment): string {
  return enumWord(DeploymentState, state, "DEPLOYMENT_STATE_");
}

/** "web 3/4 healthy, 1 canary". */
export function groupText({ group, desired, healthy, canaries }: DeploymentGroup): string {
  const first = canaries === 0 ? "" : `, ${canaries} ${canaries === 1 ? "canary" : "canaries"} first`;
  return `${group} ${healthy}/${desired} healthy${first}`;
}

export function deploymentJson(deployment: Deployment) {
  const { version, reason, startedAt, endedAt, groups } = deployment;
  return {
    version,
    status: deploymentWord(deployment),
    reason,
    startedAt: rfc3339(startedAt),
    endedAt: rfc3339(endedAt),
    groups: groups.map(({ group, desired, healthy, outdated, canaries, promoted }) => ({
      group,
      desired,
      healthy,
      outdated,
      canaries,
      promoted,
    })),
  };
}
