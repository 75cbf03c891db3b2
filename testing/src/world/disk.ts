import type { Disk, DiskFailure, DiskFile, DiskWrite } from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** What goes wrong on a disk by chance, changed at will while the world runs. */
export interface DiskFaults {
  /** Commits fail for want of space while this is true; deletes succeed. */
  isFull: boolean;
  /** Probability that a commit takes up to `delayMsMax` longer. */
  slowRate: number;
  delayMsMax: number;
}

export const calmDisk: Readonly<DiskFaults> = { isFull: false, slowRate: 0, delayMsMax: 0 };

/** What an agent keeps back for recording how its tasks end. */
const ballastBytes = 1024 * 1024;

export type DiskFaultName = "disk-full" | "disk-slow" | "disk-torn";

/** What an agent's host keeps. It outlives every life of the agent. */
export class HostDisk {
  readonly #files = new Map<string, Uint8Array>();
  readonly #quarantined = new Map<string, Uint8Array>();
  /** Writes that are under way: a crash may leave any number of them done, from the first on. */
  #pending: readonly DiskWrite[] = [];
  #hasBallast = true;
  /** What the ballast has given back. */
  #spareBytes = 0;
  readonly #world: World;
  readonly #random: Random;
  faults: DiskFaults = { ...calmDisk };
  onFault: (fault: DiskFaultName) => void = () => {};
  /** Called once, when the next commit of several files has begun. */
  onCommit: (() => void) | undefined;

  constructor(world: World, host: string) {
    this.#world = world;
    this.#random = world.random(`disk/${host}`);
  }

  /** Paths and bytes as they would outlive a power cut. */
  get files(): ReadonlyMap<string, Uint8Array> {
    return this.#files;
  }

  get quarantined(): ReadonlyMap<string, Uint8Array> {
    return this.#quarantined;
  }

  /** A new disk in place of the old one. Nobody must have it open. */
  replace(): void {
    this.#files.clear();
    this.#quarantined.clear();
    this.#pending = [];
  }

  /** The disk as one life of the agent has it. */
  openFor(life: Life): Disk {
    this.#world.onEnd(life, () => this.#crash());
    // Each start of the agent puts its ballast back, if there is room.
    if (!this.faults.isFull) this.#hasBallast = true;
    const later = (delayMs: number, kind: string, run: () => void): void => {
      this.#world.after(life, delayMs, kind, run);
    };
    return {
      readAll: (done) => later(this.#delayMs(), "disk-read", () => done(this.#readAll(), undefined)),
      commit: (writes, done) => this.#commit(writes, done, later),
      space: (done) => later(0.1, "disk-space", () => done(this.#space())),
      releaseBallast: () => {
        const had = this.#hasBallast;
        this.#hasBallast = false;
        if (had) this.#spareBytes = ballastBytes;
        return had;
      },
    };
  }

  #commit(
    writes: readonly DiskWrite[],
    done: (failure: DiskFailure | undefined) => void,
    later: (delayMs: number, kind: string, run: () => void) => void,
  ): void {
    if (this.#pending.length > 0) throw new Error("a commit began before the one before it was done");
    const isRefused = this.faults.isFull && !this.#fits(writes);
    if (isRefused) this.onFault("disk-full");
    // Copied: what is durable is what was given, whatever becomes of the buffer.
    const copies = writes.map((write) =>
      write.type === "put" ? { ...write, bytes: new Uint8Array(write.bytes) } : write,
    );
    this.#pending = isRefused ? [] : copies;
    if (this.#pending.length > 1) {
      const begun = this.onCommit;
      this.onCommit = undefined;
      begun?.();
    }
    later(this.#delayMs(), "disk-commit", () => {
      if (isRefused) {
        done({ kind: "full", message: "no space left on device" });
        return;
      }
      this.#pending = [];
      for (const write of copies) this.#apply(write);
      done(undefined);
    });
  }

  /** On a full disk: what only deletes needs nothing, the rest uses up what the ballast gave back. */
  #fits(writes: readonly DiskWrite[]): boolean {
    const puts = writes.filter((write) => write.type === "put");
    const bytes = puts.reduce((sum, put) => sum + put.bytes.length, 0);
    if (bytes > this.#spareBytes) return false;
    this.#spareBytes -= bytes;
    return true;
  }

  #delayMs(): number {
    const usualMs = 0.3 + 3 * this.#random.next() ** 4;
    if (this.#random.next() >= this.faults.slowRate) return usualMs;
    this.onFault("disk-slow");
    return usualMs + this.#random.next() * this.faults.delayMsMax;
  }

  /** Between the begin of a commit and its answer the disk may have done any part of it, in order. */
  #crash(): void {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    const doneCount = Math.floor(this.#random.next() * (pending.length + 1));
    if (doneCount > 0 && doneCount < pending.length) this.onFault("disk-torn");
    for (const write of pending.slice(0, doneCount)) this.#apply(write);
  }

  #apply(write: DiskWrite): void {
    const before = this.#files.get(write.path);
    if (write.type === "put") {
      this.#files.set(write.path, write.bytes);
      return;
    }
    this.#files.delete(write.path);
    if (write.type === "quarantine" && before !== undefined) this.#quarantined.set(write.path, before);
  }

  #readAll(): DiskFile[] {
    return [...this.#files]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, bytes]) => ({ path, bytes: new Uint8Array(bytes) }));
  }

  #space(): { totalBytes: number; freeBytes: number } {
    const totalBytes = 64 * 1024 ** 3;
    return { totalBytes, freeBytes: this.faults.isFull ? 0 : totalBytes / 2 };
  }
}
