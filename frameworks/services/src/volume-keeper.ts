import type { Cancel, Clock, Log, Offer, Result, StateWrite } from "@muster/framework-sdk";
import type { JobEntry, KeptVolume, Now, ServicesState, Want } from "./core/model.ts";
import { type Offered, planVolumes } from "./core/plan-volumes.ts";
import { volumeKey, volumeWrite } from "./core/records.ts";
import type { Surroundings } from "./core/report.ts";
import type { JobPlan } from "./core/rollout.ts";
import { addVolumes, dropVolumes, goneVolumes, releasePatienceMs, releaseVolumes } from "./core/volumes.ts";

/** Volumes of one write of State. */
const writesMax = 100;

interface KeeperContext {
  readonly state: ServicesState;
  readonly clock: Clock;
  readonly log: Log;
  now(): Now;
  transact(writes: readonly StateWrite[], done: (result: Result<readonly number[]>) => void): void;
  /** Something has changed: decide at the end of this tick. */
  changed(): void;
}

/**
 * What State knows of volumes: a volume's agent before the volume is made, and that it was given up before anybody who
 * could want it back is forgotten.
 */
export class VolumeKeeper {
  readonly #context: KeeperContext;
  /** Agents of volumes that are on their way into State, and how many of each. */
  readonly #holding = new Map<string, number>();
  #isWriting = false;
  #timer: Cancel | undefined;

  constructor(context: KeeperContext) {
    this.#context = context;
  }

  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  /** Does what a look at a job says of its volumes. */
  settle(entry: JobEntry, { released, vanished }: JobPlan): void {
    const { state } = this.#context;
    if (released.length + vanished.length === 0) return;
    releaseVolumes(state, entry, released, this.#context.now(), false);
    dropVolumes(entry, vanished);
    for (const { record } of vanished) {
      this.#context.log.warn({ ...record }, "a volume is no more: its instance gets another");
      this.#forget(record);
    }
    state.dirty.add(entry.name);
    this.#context.changed();
  }

  /**
   * Chooses agents for the volumes that have none. Their offers are held until State knows: they are answered in a later
   * tick. Gives back the others.
   */
  plan(wants: readonly Want[], { offers, others, random }: Offered): { left: readonly Offer[]; held: Offer[] } {
    const { state } = this.#context;
    const open = offers.filter(({ agentId }) => !this.#holding.has(agentId));
    const planned = planVolumes(state, wants, { offers: open, others, random }, this.#context.now());
    if (planned.length > 0) this.#keepPlanned(planned);
    return {
      left: offers.filter(({ agentId }) => !this.#holding.has(agentId)),
      held: offers.filter(({ agentId }) => this.#holding.has(agentId)),
    };
  }

  #keepPlanned(planned: readonly KeptVolume[]): void {
    const { state } = this.#context;
    const names = new Set<string>();
    for (const volume of planned) {
      names.add(volume.record.job);
      const entry = state.jobs.get(volume.record.job);
      if (entry) addVolumes(entry, [volume]);
      this.#hold(volume.record.agentId, 1);
    }
    this.#context.transact(
      planned.map(({ record }) => volumeWrite(record, false)),
      (result) => {
        for (const volume of planned) {
          this.#hold(volume.record.agentId, -1);
          if (result.ok) volume.isKept = true;
          const entry = state.jobs.get(volume.record.job);
          if (!result.ok && entry) dropVolumes(entry, [volume]);
        }
        if (!result.ok) this.#context.log.warn({ reason: result.error.message }, "volumes could not be planned");
        for (const name of names) if (state.jobs.has(name)) state.dirty.add(name);
        this.#context.changed();
      },
    );
  }

  #hold(agentId: string, by: 1 | -1): void {
    const count = (this.#holding.get(agentId) ?? 0) + by;
    if (count === 0) this.#holding.delete(agentId);
    else this.#holding.set(agentId, count);
  }

  /** Whether State does not know yet that volumes of a job were given up. */
  isMarking(name: string): boolean {
    for (const { record, isMarked } of this.#context.state.released.values())
      if (!isMarked && record.job === name) return true;
    return false;
  }

  /** Tells State what was given up since, and forgets what nothing is left of. O(released). */
  keep(around: Surroundings): void {
    const { state } = this.#context;
    if (state.released.size === 0) return;
    for (const { record } of goneVolumes(state, around.agents, around.isKnown, this.#context.now())) {
      state.released.delete(record.volumeId);
      this.#forget(record);
    }
    this.#mark();
    this.#timer ??= this.#context.clock.after(releasePatienceMs + 1, () => {
      this.#timer = undefined;
      this.#context.changed();
    });
  }

  #mark(): void {
    const unmarked = [...this.#context.state.released.values()].filter(({ isMarked }) => !isMarked);
    if (this.#isWriting || unmarked.length === 0) return;
    const batch = unmarked.slice(0, writesMax);
    this.#isWriting = true;
    this.#context.transact(
      batch.map(({ record }) => volumeWrite(record, true)),
      (result) => {
        this.#isWriting = false;
        if (!result.ok) {
          this.#context.log.warn({ reason: result.error.message }, "that volumes were given up could not be kept");
          return;
        }
        for (const one of batch) {
          one.isMarked = true;
          if (this.#context.state.jobs.has(one.record.job)) this.#context.state.dirty.add(one.record.job);
        }
        this.#context.changed();
      },
    );
  }

  #forget(record: Parameters<typeof volumeKey>[0]): void {
    this.#context.transact([{ key: volumeKey(record), delete: true }], (result) => {
      if (!result.ok)
        this.#context.log.warn({ ...record, reason: result.error.message }, "a volume could not be forgotten");
    });
  }
}
