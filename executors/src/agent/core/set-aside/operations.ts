import type { Refusal } from "@muster/proto";
import type { LaunchRequest } from "../model.ts";
import type { Context } from "../status.ts";
import { changed, operationFault, refusal } from "./changes.ts";
import type { PendingOperation, SetAsideOperation } from "./model.ts";
import { userOf } from "./users.ts";

/**
 * Begins a change of what is set aside. It is answered when the disk has it: a folder is made before its record is
 * written, and removed after. O(groups + what is set aside).
 */
export function beginOperation(context: Context, operation: SetAsideOperation): void {
  const { state, effects } = context;
  const { setAside, config } = state;
  const fault = operationFault(setAside.wanted, operation, (id) => userOf(state, id)?.launchId, config.hasVolumes);
  if (fault) {
    answer(context, operation, fault);
    return;
  }
  const pending: PendingOperation = { operation, phase: "working" };
  setAside.pending.set(operation.operationId, pending);
  if (operation.createVolume) {
    const { volumeId } = operation.createVolume;
    effects.push({ type: "make-volume", volumeId, operationId: operation.operationId });
  } else write(context, pending);
}

function write({ state, effects }: Context, pending: PendingOperation): void {
  const { setAside } = state;
  pending.phase = "writing";
  setAside.wanted = changed(setAside.wanted, pending.operation);
  effects.push({
    type: "persist-set-aside",
    purpose: { type: "set-aside", operationId: pending.operation.operationId },
  });
}

/** A volume's folder is there, or can't be made. */
export function volumeMade(context: Context, operationId: string, failure: string | undefined): void {
  const { setAside } = context.state;
  const pending = setAside.pending.get(operationId);
  if (!pending) return;
  if (failure === undefined) {
    write(context, pending);
    return;
  }
  setAside.pending.delete(operationId);
  answer(context, pending.operation, refusal("unavailable", `the volume's folder can't be made: ${failure}`));
}

/** The disk has it: from here on it is told, and what waited for it goes on. */
export function operationDurable(context: Context, operationId: string): void {
  const { state, effects } = context;
  const { setAside } = state;
  const pending = setAside.pending.get(operationId);
  if (!pending) return;
  const { operation } = pending;
  setAside.kept = changed(setAside.kept, operation);
  if (operation.destroyVolume !== undefined) {
    pending.phase = "working";
    effects.push({ type: "remove-volume", volumeId: operation.destroyVolume, operationId });
    return;
  }
  setAside.pending.delete(operationId);
  answer(context, operation, null);
}

/** The data of a volume is gone, or could not be removed: then it is not told to be. */
export function volumeRemoved(context: Context, operationId: string, failure: string | undefined): void {
  const { state, effects } = context;
  const pending = state.setAside.pending.get(operationId);
  if (failure !== undefined)
    effects.push({ type: "log", level: "error", fields: { reason: failure }, message: "a volume's data is left" });
  if (!pending) return;
  state.setAside.pending.delete(operationId);
  const left = `its data could not be removed, and is tried again when the agent starts anew: ${failure}`;
  answer(context, pending.operation, failure === undefined ? null : refusal("internal", left));
}

/** The record can't be written: nothing that was asked for since the last one that was is done. */
export function operationNotDurable(context: Context, operationId: string, reason: string): void {
  const { setAside } = context.state;
  if (!setAside.pending.has(operationId)) return;
  for (const [id, { operation, phase }] of [...setAside.pending]) {
    if (phase !== "writing") continue;
    setAside.pending.delete(id);
    answer(context, operation, refusal("unavailable", `the agent's disk did not take it: ${reason}`));
    dropFolder(context, operation);
  }
  setAside.wanted = setAside.kept;
}

/**
 * The session is over: a master that is told what the disk has takes all that is not there for never done, and so it is
 * made to be.
 */
export function forgetPending(context: Context): void {
  const { state, effects } = context;
  const { setAside } = state;
  if (setAside.waiting.length > 0) setAside.waiting = [];
  if (setAside.pending.size === 0) return;
  // What is being removed is told no more: it is gone for whoever asks.
  for (const { operation, phase } of setAside.pending.values())
    if (!(phase === "working" && operation.destroyVolume !== undefined)) dropFolder(context, operation);
  setAside.pending.clear();
  setAside.wanted = setAside.kept;
  effects.push({ type: "persist-set-aside", purpose: undefined });
}

function dropFolder({ effects }: Context, { createVolume }: SetAsideOperation): void {
  if (createVolume) effects.push({ type: "remove-volume", volumeId: createVolume.volumeId, operationId: "" });
}

/** Launches wait for volumes that are being made. */
export function awaitsVolume({ state }: Context, request: LaunchRequest): boolean {
  for (const { operation } of state.setAside.pending.values())
    if (request.volumes?.some(({ volumeId }) => volumeId === operation.createVolume?.volumeId)) return true;
  return false;
}

function answer({ effects }: Context, { operationId }: SetAsideOperation, why: Refusal | null): void {
  effects.push({ type: "send-operation-result", result: { operationId, refusal: why } });
}
