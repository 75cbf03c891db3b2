import { invalid, isTerminal } from "@muster/foundation";
import { type Kill, StatusReason, type SubscribeRequest } from "@muster/proto";
import { takeAccept, takeDecline } from "./accept.ts";
import { markAllDirty } from "./allocate.ts";
import { takeClaims } from "./claims.ts";
import type { Core } from "./core.ts";
import { takeDemands } from "./demands.ts";
import { relayToExecutor, shutDownExecutor } from "./executors.ts";
import { endFrameworkSession, settleEagerness } from "./framework-life.ts";
import { frameworkSessionClosed, updateFramework } from "./frameworks.ts";
import { sendKill } from "./kills.ts";
import { limits } from "./limits.ts";
import type { Framework, FrameworkSession } from "./model.ts";
import { clearFilters } from "./offers.ts";
import { nothingAffected } from "./operator/affected.ts";
import { storeChange } from "./operator/commands.ts";
import { takeInverseAnswer } from "./operator/inverse-offers.ts";
import { answer, presentStatus, reconcile } from "./reconcile.ts";
import { takeAcknowledgement } from "./statuses.ts";

/** Everything that a framework wants at one moment, acted on in the order of field numbers. */
export function takeFrameworkMessage(core: Core, session: FrameworkSession, message: SubscribeRequest): void {
  const { framework } = session;
  if (framework === undefined) return;
  if (framework.connection !== session.connection) {
    session.waiting.push(message);
    if (session.waiting.length > limits.messagesBeforeAdmission)
      endFrameworkSession(core, session, invalid("", "too many messages before the answer to the subscription"));
    return;
  }
  if (message.subscription !== null) {
    const { connection } = session;
    endFrameworkSession(core, session, invalid("subscription", "is for the first message alone"));
    core.state.frameworkSessions.set(connection, session);
    frameworkSessionClosed(core, connection);
    return;
  }
  for (const ack of message.acknowledgements) takeAcknowledgement(core, framework.id, ack);
  for (const kill of message.kills) takeKill(core, framework, kill);
  for (const [index, decline] of message.declines.entries())
    takeDecline(core, framework, decline, `declines[${index}]`);
  const { accepts } = message;
  for (let index = 0; index < accepts.length; index++) {
    const accept = accepts[index];
    if (accept !== undefined) takeAccept(core, framework, accept, `accepts[${index}]`);
  }
  for (const [index, { roles }] of message.suppresses.entries())
    suppress(core, framework, roles, `suppresses[${index}]`);
  for (const [index, { roles }] of message.revives.entries()) revive(core, framework, roles, `revives[${index}]`);
  for (const question of message.reconciles) reconcile(core, framework, question);
  if (message.frameworkUpdate) updateFramework(core, framework, message.frameworkUpdate);
  takeClaims(core, framework, message.claims);
  takeDemands(core, framework, message.demands);
  for (const [index, relayed] of message.executorMessages.entries())
    relayToExecutor(core, framework, relayed, `executor_messages[${index}]`);
  for (const [index, wish] of message.executorShutdowns.entries())
    shutDownExecutor(core, framework, wish, `executor_shutdowns[${index}]`);
  for (const [index, answer] of message.inverseOfferAnswers.entries())
    takeInverseAnswer(core, framework, answer, `inverse_offer_answers[${index}]`);
  for (const { operationId } of message.operationAcknowledgements) framework.operationEnds.delete(operationId);
  if (message.teardown !== null) storeChange(core, 0, { type: "tear-down", framework }, nothingAffected);
}

/** Ends a task. The wish is kept until the task has ended: an agent that is away hears it when it is back. */
function takeKill(core: Core, framework: Framework, kill: Kill): void {
  const task = framework.tasks.get(kill.taskId);
  if (task === undefined || isTerminal(task.state)) {
    const status = task
      ? presentStatus(core, task)
      : answer(core, framework, { taskId: kill.taskId, agentId: kill.agentId });
    if (status) core.toFramework(framework, "updates", status, 200);
    else
      core.refuse(
        framework,
        "kill",
        kill.taskId,
        "unavailable",
        "in doubt: the agents that may have it are not back yet",
      );
    return;
  }
  const { agent } = task.group;
  if (kill.agentId !== "" && kill.agentId !== agent.id) {
    core.refuse(framework, "kill", kill.taskId, "invalid", `task ${kill.taskId} is on ${agent.id}`, "kills.agent_id");
    return;
  }
  if (kill.unhealthy) {
    // The task may go on after it, started again in its place: no wish for its end is kept.
    const wish = { graceMs: kill.graceMs, reason: StatusReason.REASON_UNHEALTHY };
    if (agent.state === "registered") sendKill(core, task, wish);
    return;
  }
  task.kill = { graceMs: kill.graceMs };
  if (agent.state === "registered") sendKill(core, task);
}

function rolesOf(core: Core, framework: Framework, call: string, roles: readonly string[], field: string) {
  for (const [index, role] of roles.entries())
    if (!framework.roles.includes(role)) {
      core.refuse(
        framework,
        call,
        role,
        "invalid",
        `"${role}" is none of the framework's roles`,
        `${field}.roles[${index}]`,
      );
      return undefined;
    }
  return roles.length === 0 ? framework.roles : roles;
}

function suppress(core: Core, framework: Framework, roles: readonly string[], field: string): void {
  for (const role of rolesOf(core, framework, "suppress", roles, field) ?? []) framework.suppressed.add(role);
  settleEagerness(core, framework);
  core.state.changedFrameworks.add(framework);
}

function revive(core: Core, framework: Framework, roles: readonly string[], field: string): void {
  const revived = rolesOf(core, framework, "revive", roles, field);
  if (revived === undefined) return;
  for (const role of revived) {
    framework.suppressed.delete(role);
    clearFilters(core, framework, role);
  }
  settleEagerness(core, framework);
  markAllDirty(core);
  core.state.changedFrameworks.add(framework);
}
