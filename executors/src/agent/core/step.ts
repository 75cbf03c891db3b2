import { StatusReason } from "@muster/proto";
import { artifactsFailed, artifactsProgress, artifactsReady } from "./artifacts.ts";
import { left } from "./away.ts";
import { wake } from "./deadlines.ts";
import { disksMeasured } from "./disk-watch.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { endServed } from "./executor-end.ts";
import { attached, detached, executorSaid, executorTold } from "./executor-session.ts";
import { confirmKept, takeExecutorStatus } from "./executor-status.ts";
import { netGone } from "./group-end.ts";
import { probed } from "./health.ts";
import { filesTaken } from "./heritage.ts";
import { setHostNetworks } from "./host-networks.ts";
import { imageFailed, imageProgress } from "./images.ts";
import {
  imageReady,
  intentDurable,
  intentNotDurable,
  launch,
  launchWaiting,
  netFailed,
  netReady,
  portsChecked,
} from "./launch.ts";
import { processorMeasured } from "./lending.ts";
import { memoryKilled } from "./memory.ts";
import type { AgentState, Now } from "./model.ts";
import { killAll, killNamed } from "./named-kill.ts";
import { overlayChanged } from "./overlays.ts";
import { listenersFound } from "./port-watch.ts";
import { absent, exited, holdersFound, started, startFailed, supervisorLost } from "./process.ts";
import { recover } from "./recover.ts";
import {
  beginOperation,
  forgetPending,
  operationDurable,
  operationNotDurable,
  volumeMade,
  volumeRemoved,
} from "./set-aside/operations.ts";
import { acknowledge, type Context, markDurable, resendDelayMsFirst, sendHead } from "./status.ts";
import { catalogTold } from "./templates/catalog.ts";
import { scriptEnded } from "./templates/change.ts";
import { fileMade, materialsRead } from "./templates/render.ts";

/** One step of an agent: changes the state, which it owns, and gives what is to be done, in order. */
export function step(state: AgentState, input: AgentInput, now: Now): readonly AgentEffect[] {
  const context: Context = { state, now, effects: [] };
  apply(context, input);
  if (state.setAside.waiting.length > 0) launchWaiting(context);
  for (const self of state.executorsEnded.splice(0)) endServed(context, self);
  return context.effects;
}

function apply(context: Context, input: AgentInput): void {
  switch (input.type) {
    case "recovered":
      if (!context.state.registered) left(context);
      recover(context, input.groups);
      return;
    case "launch":
      launch(context, input.launch);
      return;
    case "set-aside":
      context.state.setAside.kept = input.setAside;
      context.state.setAside.wanted = input.setAside;
      context.effects.push({ type: "persist-set-aside", purpose: undefined });
      return;
    case "operation":
      beginOperation(context, input.operation);
      return;
    case "volume-made":
      volumeMade(context, input.operationId, input.failure);
      return;
    case "volume-removed":
      volumeRemoved(context, input.operationId, input.failure);
      return;
    case "ports-checked":
      portsChecked(context, input.key, input.taken);
      return;
    case "host-networks":
      setHostNetworks(context.state, input.networks);
      return;
    case "listeners-found":
      listenersFound(context, input.found);
      return;
    case "processor-measured":
      processorMeasured(context, input.use);
      return;
    case "disks-measured":
      disksMeasured(context, input.found);
      return;
    case "holders-found":
      holdersFound(context, input.id, input.found);
      return;
    case "materials-read":
      materialsRead(context, input.id, input.found);
      return;
    case "file-made":
      fileMade(context, input.id, input.index, input.problem);
      return;
    case "script-ended":
      scriptEnded(context, input.id, input.index, input.result);
      return;
    case "catalog":
      catalogTold(context, input.isInDoubt, input.entries);
      return;
    case "image-progress":
      imageProgress(context, input.id, input.message);
      return;
    case "image-ready":
      imageReady(context, input.id, input.ready);
      return;
    case "image-failed":
      imageFailed(context, input.id, input.message);
      return;
    case "files-taken":
      filesTaken(context, input.key, input.failure);
      return;
    case "artifacts-progress":
      artifactsProgress(context, input.id, input.message);
      return;
    case "artifacts-ready":
      artifactsReady(context, input.id, input.message);
      return;
    case "artifacts-failed":
      artifactsFailed(context, input.id, input.message);
      return;
    case "net-ready":
      netReady(context, input.key, input.ready);
      return;
    case "net-failed":
      netFailed(context, input.key, input.message);
      return;
    case "net-gone":
      netGone(context, input.key);
      return;
    case "overlay":
      overlayChanged(context, input.name, input.state);
      return;
    case "durable":
      durable(context, input);
      return;
    case "not-durable":
      notDurable(context, input);
      return;
    case "space":
      context.state.disk = input.space;
      return;
    case "started":
      started(context, input.id, input.started);
      return;
    case "memory-killed":
      memoryKilled(context, input.id, input.kills);
      return;
    case "start-failed":
      startFailed(context, input.id, input.message);
      return;
    case "exited":
      exited(context, input.id, input.exit);
      return;
    case "supervisor-lost":
      supervisorLost(context, input.id);
      return;
    case "absent":
      absent(context, input.id);
      return;
    case "kill":
      killNamed(context, input);
      return;
    case "framework-removed":
      killAll(context, StatusReason.REASON_FRAMEWORK_REMOVED, undefined, input.frameworkId);
      return;
    case "acknowledged":
      acknowledge(context, input.frameworkId, input.taskId, input.updateId);
      return;
    case "probed":
      probed(context, input.id, input.index, input.result);
      return;
    case "executor-attached":
      attached(context, input.session, input.attachment);
      return;
    case "executor-said": {
      const self = context.state.attached.get(input.session);
      if (self) for (const status of input.statuses) takeExecutorStatus(context, self, input.session, status);
      executorSaid(context, input.session, input.messages);
      return;
    }
    case "executor-detached":
      detached(context, input.session);
      return;
    case "executor-told":
      executorTold(context, input.frameworkId, input.executorId, input.data);
      return;
    case "registered":
      registered(context);
      return;
    case "disconnected":
      context.state.registered = false;
      left(context);
      forgetPending(context);
      return;
    case "drain":
      context.state.refusing ||= "draining";
      killAll(context, StatusReason.REASON_AGENT_DRAINING, input.graceMsMax, undefined);
      return;
    case "shut-down":
      context.state.refusing = "stopping";
      killAll(context, StatusReason.REASON_AGENT_SHUTDOWN, input.graceMsMax, undefined);
      return;
    case "wake":
      wake(context);
      return;
  }
}

function durable(context: Context, { purpose }: Extract<AgentInput, { type: "durable" }>): void {
  if (purpose.type === "launch") {
    intentDurable(context, purpose.key);
    return;
  }
  if (purpose.type === "set-aside") {
    operationDurable(context, purpose.operationId);
    return;
  }
  const task = context.state.tasks.get(purpose.id);
  if (!task) return;
  markDurable(context, task, purpose.sequence);
  confirmKept(context, task, purpose.sequence);
}

/**
 * A status that can't be written is told all the same: its framework waiting for ever would be worse than its being
 * told twice. The ballast makes that the exception.
 */
function notDurable(context: Context, { purpose, failure }: Extract<AgentInput, { type: "not-durable" }>): void {
  const { state, effects } = context;
  if (failure.kind === "broken" && state.refusing === "") {
    state.refusing = "disk";
    effects.push({ type: "log", level: "error", fields: { reason: failure.message }, message: "the disk is failing" });
  }
  if (purpose.type === "launch") {
    intentNotDurable(context, purpose.key, failure);
    return;
  }
  if (purpose.type === "set-aside") {
    operationNotDurable(context, purpose.operationId, failure.message);
    return;
  }
  const task = state.tasks.get(purpose.id);
  if (task) markDurable(context, task, purpose.sequence);
}

/** A new session begins with everything that waits. */
function registered(context: Context): void {
  context.state.registered = true;
  context.state.awaySinceMs = undefined;
  for (const task of context.state.tasks.values()) {
    const head = task.queue[0];
    if (!head) continue;
    head.resendAtMs = undefined;
    head.delayMs = resendDelayMsFirst;
    sendHead(context, task);
  }
}
