import { type ErrorKind, MusterError } from "@muster/foundation";
import { type AgentOperationResult, OperationState, type Refusal } from "@muster/proto";
import type { Core } from "../core.ts";
import { limits } from "../limits.ts";
import type { Agent, Framework } from "../model.ts";
import { reservationRecord, volumeRecord } from "../records.ts";
import { addReservation, addVolume, removeReservation, removeVolume, resizeVolume } from "./books.ts";
import type { Reservation, Volume } from "./model.ts";
import type { SetAsidePlan } from "./wishes.ts";

/** Who wants an operation, and how it is answered. */
export type Origin =
  | { readonly framework: Framework; readonly ownId: string }
  | {
      readonly framework: undefined;
      readonly principal: string;
      readonly answer: (fault: MusterError | undefined) => void;
    };

/** A change that an agent has been asked for and has not answered. */
export interface Operation {
  readonly id: string;
  readonly agent: Agent;
  readonly plan: SetAsidePlan;
  readonly origin: Origin;
  /** What it makes, changes or takes away. */
  readonly subject: Reservation | Volume;
  readonly role: string;
  /** Of a volume that is resized: its size before. */
  readonly diskMiBBefore: number;
}

/**
 * Books a change and asks the agent for it. What is made can be used by what is asked for together with it, and is
 * offered when the agent has it on its disk; what is taken away is nobody's until the agent has forgotten it. O(depth).
 */
export function beginOperation(core: Core, agent: Agent, plan: SetAsidePlan, origin: Origin): Operation {
  const { state } = core;
  const id = `op-${state.epoch.toString(36)}-${(++state.operationCount).toString(36)}`;
  const principal = origin.framework === undefined ? origin.principal : origin.framework.principal;
  const diskMiBBefore = plan.type === "resize_volume" ? plan.volume.diskMiB : 0;
  const subject = bookPlan(core, agent, plan, principal);
  const reservation = "reservation" in subject ? subject.reservation : subject;
  const operation: Operation = { id, agent, plan, origin, subject, role: reservation.role.name, diskMiBBefore };
  state.operations.set(id, operation);
  core.toAgent(agent.connection, "operations", messageOf(operation) as never, 256);
  tell(core, operation, OperationState.OPERATION_STATE_PENDING, "");
  core.count("operations", plan.type);
  return operation;
}

function bookPlan(core: Core, agent: Agent, plan: SetAsidePlan, principal: string): Reservation | Volume {
  switch (plan.type) {
    case "reserve": {
      const { role: roleName, labels, reservationId } = plan.wish;
      const { epoch } = core.state;
      const id = reservationId || `resv-${epoch.toString(36)}-${core.state.operationCount.toString(36)}`;
      const { resources, refined } = plan;
      const isNew = { isStatic: false, isSettled: false };
      return addReservation(core, agent, {
        id,
        roleName,
        resources,
        refined,
        labels: { ...labels },
        principal,
        ...isNew,
      });
    }
    case "unreserve":
      plan.reservation.isSettled = false;
      return plan.reservation;
    case "create_volume":
      return addVolume(core, plan.reservation, plan.volumeId, plan.diskMiB, false);
    case "destroy_volume":
      plan.volume.isSettled = false;
      return plan.volume;
    case "resize_volume":
      plan.volume.isSettled = false;
      // What it grows by is taken now, what it shrinks by is given back when the agent has it.
      if (plan.diskMiB > plan.volume.diskMiB) resizeVolume(core, plan.volume, plan.diskMiB);
      return plan.volume;
  }
}

function messageOf({ id, plan, subject }: Operation) {
  const none = { reserve: undefined, unreserve: undefined, createVolume: undefined };
  const nothing = { ...none, destroyVolume: undefined, resizeVolume: undefined };
  const message = { operationId: id, ...nothing };
  switch (plan.type) {
    case "reserve":
      return { ...message, reserve: reservationRecord(subject as Reservation), kind: "reserve" };
    case "unreserve":
      return { ...message, unreserve: subject.id, kind: "unreserve" };
    case "create_volume":
      return { ...message, createVolume: volumeRecord(subject as Volume), kind: "createVolume" };
    case "destroy_volume":
      return { ...message, destroyVolume: subject.id, kind: "destroyVolume" };
    case "resize_volume": {
      const resized = { ...volumeRecord(subject as Volume), diskMiB: plan.diskMiB };
      return { ...message, resizeVolume: resized, kind: "resizeVolume" };
    }
  }
}

/** An agent has done what it was asked for, or could not. An answer that nobody waits for is no fault. */
export function takeOperationResult(core: Core, agent: Agent, result: AgentOperationResult): void {
  const operation = core.state.operations.get(result.operationId);
  if (operation === undefined || operation.agent !== agent) return;
  core.state.operations.delete(operation.id);
  const { refusal } = result;
  if (refusal === null) settle(core, operation);
  else undo(core, operation);
  finish(core, operation, refusal);
}

function settle(core: Core, { plan, subject }: Operation): void {
  subject.isSettled = true;
  switch (plan.type) {
    case "unreserve":
      removeReservation(core, plan.reservation);
      break;
    case "destroy_volume":
      removeVolume(core, plan.volume);
      break;
    case "resize_volume":
      resizeVolume(core, plan.volume, plan.diskMiB);
      break;
    default:
      noteSettled(core, subject);
  }
}

function undo(core: Core, { plan, subject, diskMiBBefore }: Operation): void {
  subject.isSettled = true;
  if (plan.type === "reserve") removeReservation(core, subject as Reservation);
  else if (plan.type === "create_volume") removeVolume(core, subject as Volume);
  else if (plan.type === "resize_volume") resizeVolume(core, plan.volume, diskMiBBefore);
  noteSettled(core, subject);
}

function noteSettled(core: Core, subject: Reservation | Volume): void {
  const { agent } = "reservation" in subject ? subject.reservation : subject;
  agent.changeCount++;
  core.state.dirty.add(agent);
  core.state.changedAgents.add(agent);
}

/** Tells whoever wanted it. A framework is told until it acknowledges, if it has given the operation a name. */
export function finish(core: Core, operation: Operation, refusal: Refusal | null): void {
  const { origin, plan, subject, agent } = operation;
  const { OPERATION_STATE_FAILED, OPERATION_STATE_FINISHED } = OperationState;
  tell(core, operation, refusal === null ? OPERATION_STATE_FINISHED : OPERATION_STATE_FAILED, refusal?.message ?? "");
  if (origin.framework === undefined) {
    const fault =
      refusal === null
        ? undefined
        : new MusterError(refusal.kind as ErrorKind, refusal.message, { field: refusal.field });
    core.effects.push({ type: "respond", respond: () => origin.answer(fault) });
    return;
  }
  const { framework, ownId } = origin;
  if (refusal !== null) core.refuse(framework, "accept", subject.id, refusal.kind as ErrorKind, refusal.message);
  const reservationId = plan.type === "reserve" ? subject.id : "";
  tellFramework(core, framework, { operationId: ownId, refusal, reservationId, agentId: agent.id });
}

/** Operations without a name of the framework's own are not told of. */
export function tellFramework(
  core: Core,
  framework: Framework,
  result: { operationId: string; refusal: Refusal | null; reservationId: string; agentId: string },
): void {
  if (result.operationId === "") return;
  const { operationEnds } = framework;
  operationEnds.delete(result.operationId);
  operationEnds.set(result.operationId, result);
  if (operationEnds.size > limits.operationEndsPerFramework)
    operationEnds.delete(operationEnds.keys().next().value as string);
  core.toFramework(framework, "operationResults", result, 128 + (result.refusal?.message.length ?? 0));
}

function tell(core: Core, operation: Operation, state: OperationState, message: string): void {
  const { id, plan, agent, origin, role, subject } = operation;
  const record = { operationId: id, kind: plan.type, agentId: agent.id, frameworkId: origin.framework?.id ?? "" };
  core.event({ operation: { ...record, role, subjectId: subject.id, state, message, at: core.epochMs } });
}

/** The connection has broken: operators are not kept waiting. What became of it is told when the agent is back. */
export function answerOperators(core: Core, agent: Agent): void {
  const fault = new MusterError(
    "unavailable",
    `the connection to ${agent.name} broke: "muster reservation list" tells whether it was done when the agent is back`,
  );
  for (const operation of core.state.operations.values()) {
    const { origin } = operation;
    if (operation.agent !== agent || origin.framework !== undefined) continue;
    core.effects.push({ type: "respond", respond: () => origin.answer(fault) });
    core.state.operations.set(operation.id, { ...operation, origin: { ...origin, answer: () => {} } });
  }
}

/** Operations of an agent that has connected anew or is no more, in the order in which they were asked for. */
export function takeOperationsOf(core: Core, agent: Agent): Operation[] {
  const taken: Operation[] = [];
  for (const operation of core.state.operations.values()) if (operation.agent === agent) taken.push(operation);
  for (const { id } of taken) core.state.operations.delete(id);
  return taken;
}
