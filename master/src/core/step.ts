import {
  agentSessionClosed,
  agentStored,
  checkSilence,
  giveUp,
  openAgent,
  stopWaiting,
  takeAgentMessage,
  unreachableStored,
} from "./agents.ts";
import type { Core, Now } from "./core.ts";
import type { Effect, Input } from "./effects.ts";
import { admitFramework, completeFramework, frameworkSessionClosed, heartbeat, openFramework } from "./frameworks.ts";
import type { TimerWork } from "./model.ts";
import { dropFilter, expiresAtMs, rescindLateOffers } from "./offers.ts";
import { changeStored, takeCommand } from "./operator/commands.ts";
import { drainDeadline } from "./operator/drain.ts";
import { askAgain } from "./operator/inverse-offers.ts";
import { maintenanceOver } from "./operator/maintenance.ts";
import { leaseStored, leaseToWaiting, storeLeaseAgain } from "./overlay/overlays.ts";
import { forgetMissing } from "./preemption/budgets.ts";
import { budgetStored } from "./preemption/ending.ts";
import { holdOver } from "./preemption/holds.ts";
import { lookForRoom } from "./preemption/look.ts";
import { roleStored, takeRoleCall } from "./role-settings.ts";
import { takeFrameworkMessage } from "./scheduling.ts";
import { takeSetAsideCall } from "./set-aside/calls.ts";

/** One transition: changes the state and says what is to be done. Throws only for a bug of ours. */
export function step(core: Core, input: Input, now: Now): readonly Effect[] {
  core.begin(now);
  switch (input.type) {
    case "agent-opened":
      openAgent(core, input.connection, input.registration);
      break;
    case "agent-message":
      takeAgentMessage(core, input.connection, input.message);
      break;
    case "agent-closed":
      agentSessionClosed(core, input.connection);
      break;
    case "agent-stored":
      agentStored(core, input.connection, input.error);
      break;
    case "unreachable-stored":
      unreachableStored(core, input.agent, input.connection, input.error);
      break;
    case "lease-stored":
      leaseStored(core, input.network, input.lease, input.changes, input.error);
      break;
    case "framework-opened":
      openFramework(core, input.connection, input.principal, input.subscription);
      takeWaiting(core, input.connection);
      break;
    case "framework-message": {
      const session = core.state.frameworkSessions.get(input.connection);
      if (session) takeFrameworkMessage(core, session, input.message);
      break;
    }
    case "framework-closed":
      frameworkSessionClosed(core, input.connection);
      break;
    case "framework-stored":
      admitFramework(core, input.connection, input.error);
      takeWaiting(core, input.connection);
      break;
    case "role-called":
      takeRoleCall(core, input.call);
      break;
    case "set-aside-called":
      takeSetAsideCall(core, input.call);
      break;
    case "budget-stored":
      budgetStored(core, input.rooms, input.error);
      break;
    case "role-stored":
      roleStored(core, input.error);
      break;
    case "operator-call":
      takeCommand(core, input.call, input.command);
      break;
    case "operator-stored":
      changeStored(core, input.call, input.change, input.affected, input.error);
      break;
    case "time":
      pass(core);
      break;
  }
  return core.effects;
}

/** What a framework said before it was subscribed. */
function takeWaiting(core: Core, connection: number): void {
  const session = core.state.frameworkSessions.get(connection);
  if (session?.framework?.connection !== connection) return;
  for (const message of session.waiting.splice(0)) takeFrameworkMessage(core, session, message);
}

/** When something is due next, in monotonic milliseconds; undefined if nothing is. */
export function nextDueMs(core: Core): number | undefined {
  const timer = core.state.timers.peek()?.atMs;
  const offer = core.state.offers.first;
  const offerMs = offer && expiresAtMs(core, offer);
  if (timer === undefined) return offerMs;
  return offerMs === undefined ? timer : Math.min(timer, offerMs);
}

function pass(core: Core): void {
  const { timers } = core.state;
  for (let timer = timers.peek(); timer !== undefined && timer.atMs <= core.nowMs; timer = timers.peek()) {
    timers.pop();
    work(core, timer.work);
  }
  rescindLateOffers(core);
}

function work(core: Core, due: TimerWork): void {
  switch (due.type) {
    case "filter":
      dropFilter(core, due.framework, due.filter);
      return;
    case "session-silence":
      checkSilence(core, due.connection);
      return;
    case "agent-away":
      giveUp(core, due.agent, due.connection);
      return;
    case "heartbeat":
      heartbeat(core, due.connection);
      return;
    case "framework-deadline":
      completeFramework(core, due.framework);
      return;
    case "drain-deadline":
      drainDeadline(core, due.agent);
      return;
    case "decision-retry":
      core.state.deciding.delete(due.agentId);
      return;
    case "inverse-again":
      askAgain(core, due.inverse);
      return;
    case "maintenance-over":
      maintenanceOver(core);
      return;
    case "awaited":
      stopWaiting(core);
      return;
    case "look-for-room":
      lookForRoom(core);
      return;
    case "hold-over":
      holdOver(core, due.hold);
      return;
    case "missing-over":
      forgetMissing(core);
      return;
    case "lease-unstored":
      storeLeaseAgain(core, due.network, due.lease);
      return;
    case "subnet-free":
      leaseToWaiting(core, due.network);
      return;
  }
}
