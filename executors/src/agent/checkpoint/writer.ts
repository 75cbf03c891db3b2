import type { Clock, Log } from "@muster/foundation";
import type { Disk, DiskFailure, DiskWrite } from "../../world/disk.ts";
import type { Purpose } from "../core/effects.ts";
import type { AgentState, Group, IntentRecord } from "../core/model.ts";
import { stateRecord } from "../core/recover.ts";
import type { SetAsideRecord } from "../core/set-aside/model.ts";
import { paths } from "./load.ts";
import { encodeRecord } from "./record.ts";

/** A commit that takes longer is worth a line. */
export const slowCommitMs = 2_000;

export interface WriterEvents {
  settled(purpose: Purpose, failure: DiskFailure | undefined): void;
  /** Nothing of the group is on the disk any more. */
  forgotten(key: string): void;
  epochSettled(epoch: number, failure: DiskFailure | undefined): void;
  committed(durationMs: number): void;
}

/**
 * Writes what has changed since the last commit: one commit at a time, one record per file however often it changed
 * meanwhile. So many tasks that change in one tick share one commit.
 */
export class CheckpointWriter {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #state: AgentState;
  readonly #events: WriterEvents;
  #intents = new Set<string>();
  #states = new Set<string>();
  #forgotten: Group[] = [];
  #epoch: number | undefined;
  #hasSetAside = false;
  #purposes: Purpose[] = [];
  #isCommitting = false;
  #idle: (() => void) | undefined;

  constructor(deps: { disk: Disk; clock: Clock; log: Log }, state: AgentState, events: WriterEvents) {
    this.#disk = deps.disk;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#state = state;
    this.#events = events;
  }

  intent(key: string, purpose: Purpose): void {
    this.#intents.add(key);
    this.#purposes.push(purpose);
  }

  state(id: string, purpose: Purpose | undefined): void {
    this.#states.add(id);
    if (purpose) this.#purposes.push(purpose);
  }

  setAside(purpose: Purpose | undefined): void {
    this.#hasSetAside = true;
    if (purpose) this.#purposes.push(purpose);
  }

  forget(group: Group): void {
    this.#forgotten.push(group);
  }

  epoch(epoch: number): void {
    this.#epoch = epoch;
  }

  /** Calls back once nothing waits to be written. */
  whenIdle(done: () => void): void {
    this.#idle = done;
    this.flush();
  }

  flush(): void {
    if (this.#isCommitting) return;
    const writes = this.#writes();
    const purposes = this.#purposes;
    const forgotten = this.#forgotten;
    const epoch = this.#epoch;
    this.#intents = new Set();
    this.#states = new Set();
    this.#purposes = [];
    this.#forgotten = [];
    this.#epoch = undefined;
    this.#hasSetAside = false;
    if (writes.length === 0 && purposes.length === 0) {
      const idle = this.#idle;
      this.#idle = undefined;
      idle?.();
      return;
    }
    this.#isCommitting = true;
    const beganAtMs = this.#clock.monotonicMs();
    this.#commit(writes, (failure) => {
      this.#isCommitting = false;
      const durationMs = Math.round(this.#clock.monotonicMs() - beganAtMs);
      this.#events.committed(durationMs);
      if (durationMs > slowCommitMs)
        this.#log.warn({ durationMs, files: writes.length }, "the disk is slow: statuses of tasks wait for it");
      if (epoch !== undefined) this.#events.epochSettled(epoch, failure);
      for (const purpose of purposes) this.#events.settled(purpose, failure);
      for (const group of forgotten) this.#events.forgotten(group.key);
      this.flush();
    });
  }

  /** A full disk is tried once more with the space that was kept for this. */
  #commit(writes: readonly DiskWrite[], done: (failure: DiskFailure | undefined) => void): void {
    this.#disk.commit(writes, (failure) => {
      if (failure?.kind === "full" && this.#disk.releaseBallast()) {
        this.#log.warn({ reason: failure.message }, "the disk is full, the ballast was given back");
        this.#disk.commit(writes, done);
      } else done(failure);
    });
  }

  #writes(): DiskWrite[] {
    const writes: DiskWrite[] = [];
    if (this.#epoch !== undefined)
      writes.push({ type: "put", path: paths.epoch, bytes: encodeRecord({ epoch: this.#epoch }) });
    if (this.#hasSetAside) {
      const { reservations, volumes } = this.#state.setAside.wanted;
      const record: SetAsideRecord = { reservations: [...reservations.values()], volumes: [...volumes.values()] };
      writes.push({ type: "put", path: paths.setAside, bytes: encodeRecord(record) });
    }
    for (const key of this.#intents) {
      const group = this.#state.groups.get(key);
      if (group && group.phase !== "refused")
        writes.push({ type: "put", path: paths.intent(key), bytes: encodeRecord(intentRecord(this.#state, group)) });
    }
    for (const id of this.#states) {
      const task = this.#state.tasks.get(id);
      if (!task || task.group.phase === "refused") continue;
      const path = paths.state(task.group.key, task.group.tasks.indexOf(task));
      writes.push({ type: "put", path, bytes: encodeRecord(stateRecord(task)) });
    }
    for (const group of this.#forgotten) {
      // The intent goes first: a group with an intent and no state would be taken for one that was never started.
      writes.push({ type: "delete", path: paths.intent(group.key) });
      for (const index of group.tasks.keys()) writes.push({ type: "delete", path: paths.state(group.key, index) });
    }
    return writes;
  }
}

/** What is written of a group before it is started. */
export function intentRecord(state: AgentState, group: Group): IntentRecord {
  return {
    agentId: state.config.agentId,
    epoch: state.epochSeen,
    bootId: state.config.bootId,
    launchId: group.launchId,
    frameworkId: group.frameworkId,
    frameworkName: group.frameworkName,
    role: group.role,
    networkMode: group.networkMode,
    network: group.network,
    ports: group.ports,
    assigned: group.assigned,
    addressIndex: group.addressIndex,
    ...(group.executor ? { executor: group.executor } : {}),
    subnets: group.subnets,
    ...(group.more.length > 0 ? { more: group.more } : {}),
    ...(group.reserved.length > 0 ? { reserved: group.reserved } : {}),
    ...(group.volumes.length > 0 ? { volumes: group.volumes } : {}),
    ...(group.predecessorLaunchId === "" ? {} : { predecessorLaunchId: group.predecessorLaunchId }),
    ...(group.predecessorPlace ? { predecessorPlace: group.predecessorPlace } : {}),
    ...(group.filesToken === "" ? {} : { filesToken: group.filesToken }),
    tasks: group.tasks.map(({ info: { spec: _, ...info }, spec }) => ({ info, spec })),
  };
}
