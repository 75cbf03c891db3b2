import {
  type AgentRejection,
  DeploymentState,
  type JobInstance,
  JobState,
  type JobStatus,
  JobVolumeState,
  type Obstacle,
  TaskState,
} from "@muster/proto";
import type { Output } from "../../output/output.ts";
import { enumWord, stateText } from "../../output/states.ts";
import { table } from "../../output/table.ts";
import { spanText, timeText } from "../../output/times.ts";
import { deploymentWord, groupText } from "./deployment-words.ts";
import { groupsOfSeveral, groupsWithChecks, instanceName, isHealthy, jobJson, summaryOf } from "./describe.ts";

/** Prints a job for people: a head, its instances, and what stands in the way. */
export function showJob(job: JobStatus, out: Output, nowMs: number): void {
  const { style } = out;
  const summary = summaryOf(job);
  const state = enumWord(JobState, summary.state, "JOB_STATE_");
  out.line(
    `${style.paint("bold", summary.name)}  ${summary.type} v${summary.version}  ${stateText(state, style)}  ` +
      `${summary.healthy}/${summary.desired} healthy  role ${summary.role}  ` +
      `submitted ${timeText(summary.submittedAt, nowMs, out.isTerminal)}`,
  );
  if (summary.nextRunAt !== 0) out.line(`next run ${timeText(summary.nextRunAt, nowMs, out.isTerminal)}`);
  const { deployment } = job;
  if (deployment && deployment.state !== DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL) {
    const reason = deployment.reason === "" ? "" : `  ${deployment.reason}`;
    const word = stateText(deploymentWord(deployment), style);
    out.line(`deployment  ${word}  ${deployment.groups.map(groupText).join("; ")}${reason}`);
  }
  if (job.instances.length > 0) {
    out.line();
    out.line(instancesTable(job, out, nowMs));
  }
  if (job.volumes.length > 0) {
    out.line();
    out.line(volumesTable(job));
  }
  for (const line of obstacleLines(job)) out.line(line);
}

function volumesTable(job: JobStatus): string {
  return table(
    ["VOLUME", "OF", "SIZE", "AGENT", "STATE", "ID"],
    jobJson(job).volumes.map(({ instance, name, id, agent, sizeMiB, state }) => [
      ...[name, instance, `${sizeMiB} MiB`, agent, state, id],
    ]),
  );
}

export function instancesTable(job: JobStatus, out: Output, nowMs: number): string {
  const checks = groupsWithChecks(job.definition);
  const several = groupsOfSeveral(job);
  return table(
    ["INSTANCE", "STATE", "AGENT", "PID", "ADDRESSES", "RESTARTS", "SINCE", "REASON"],
    job.instances.map((instance) => {
      const running = instance.state === TaskState.TASK_RUNNING;
      const word = running
        ? isHealthy(instance, checks.has(instance.group))
          ? "healthy"
          : "not healthy"
        : enumWord(TaskState, instance.state, "TASK_").replace("state unspecified", "pending");
      return [
        instanceName(instance, several),
        stateText(word, out.style),
        instance.agentName || "-",
        instance.pid === 0 ? "-" : String(instance.pid),
        instance.ports.map((port) => `${port.label}=${instance.ip}:${port.number || port.to}`).join(" ") || "-",
        String(instance.restartCount),
        timeText(instance.startedAt, nowMs, out.isTerminal),
        reasonText(instance, nowMs) || "-",
      ];
    }),
  );
}

/** Why an instance is as it is, and when it is tried again. */
export function reasonText(instance: JobInstance, nowMs: number): string {
  const { reason, nextTryAt } = instance;
  if (nextTryAt <= nowMs) return reason;
  return `${reason === "" ? "" : `${reason}; `}next try in ${spanText(nextTryAt - nowMs)}`;
}

/** What stands in the way: each agent's reason; the job's own words where neither agents nor instances have any. */
export function obstacleLines(job: JobStatus): string[] {
  if (job.rejections.length > 0) return [...rejectionLines(job.rejections), ...obstacleSums(job.obstacles)];
  const isKept = job.volumes.some(({ state }) => state === JobVolumeState.JOB_VOLUME_STATE_KEPT);
  // That an instance waits for its volume nothing else tells.
  const isTold = job.message === "" || (!isKept && job.instances.some((instance) => instance.reason !== ""));
  return isTold ? [] : [`  ${job.message}`];
}

/** What would change it, one line for each reason that agents share. */
export function obstacleSums(obstacles: readonly Obstacle[]): string[] {
  return obstacles.map(({ group, agentCount, agentNames, reason, remedy }) => {
    const who = agentCount > agentNames.length ? `${agentCount} agents` : agentNames.join(", ");
    return `  ${group}: ${who}: ${reason}. ${remedy}`;
  });
}

/** "web: agent-1 needs 512 MiB of memory, has 256", one line per agent. */
export function rejectionLines(rejections: readonly AgentRejection[]): string[] {
  return rejections.map(({ group, agentName, agentId, reason }) => `  ${group}: ${agentName || agentId}: ${reason}`);
}
