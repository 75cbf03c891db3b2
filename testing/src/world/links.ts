import type { Cancel, Random } from "@muster/foundation";
import type { World } from "./world.ts";

/** What goes wrong between hosts by chance. Rates are probabilities per message, 0 to 1. */
export interface LinkFaults {
  /** A message takes up to `delayMsMax` longer; those behind it on its stream wait. */
  delayRate: number;
  delayMsMax: number;
  /** A message, and with it its stream, is lost; both ends find out later. */
  lossRate: number;
  /** A call is lost on its way, or its answer is. */
  callLossRate: number;
  /** A call is carried out twice; the second answer goes nowhere. */
  duplicateRate: number;
}

/** A network without faults. */
export const calmLinks: Readonly<LinkFaults> = {
  delayRate: 0,
  delayMsMax: 0,
  lossRate: 0,
  callLossRate: 0,
  duplicateRate: 0,
};

export type LinkFaultName = "delay" | "loss" | "call-loss" | "duplicate";

interface Link {
  readonly random: Random;
  cutNumber: number;
  isCut: boolean;
  slowFactor: number;
}

/** The state of every one-way link between two hosts. */
export class Links {
  readonly #world: World;
  readonly #links = new Map<string, Map<string, Link>>();
  readonly #changed = new Set<(from: string, to: string, isCut: boolean) => void>();
  /** Changed at will while the world runs. */
  faults: LinkFaults = { ...calmLinks };
  /** Told of each fault that befalls a message, with the host that it was sent to. */
  onFault: (fault: LinkFaultName, host: string) => void = () => {};

  constructor(world: World) {
    this.#world = world;
  }

  cut(from: string, to: string): void {
    const link = this.#link(from, to);
    if (link.isCut) return;
    link.isCut = true;
    link.cutNumber++;
    for (const changed of this.#changed) changed(from, to, true);
  }

  heal(from: string, to: string): void {
    const link = this.#link(from, to);
    link.slowFactor = 1;
    if (!link.isCut) return;
    link.isCut = false;
    for (const changed of this.#changed) changed(from, to, false);
  }

  /** Every message takes so many times longer. */
  slow(from: string, to: string, factor: number): void {
    this.#link(from, to).slowFactor = factor;
  }

  isCut(from: string, to: string): boolean {
    return this.#link(from, to).isCut;
  }

  /** Counts the cuts of a link: an unchanged number means that a cut has lasted. */
  cutNumber(from: string, to: string): number {
    return this.#link(from, to).cutNumber;
  }

  onChange(changed: (from: string, to: string, isCut: boolean) => void): Cancel {
    this.#changed.add(changed);
    return () => this.#changed.delete(changed);
  }

  /** How long the next message takes, in milliseconds: 0.1 to 1, with faults more. */
  delayMs(from: string, to: string): number {
    const { random, slowFactor } = this.#link(from, to);
    const usualMs = (0.1 + 0.9 * random.next()) * slowFactor;
    if (this.faults.delayRate === 0 || from === to || random.next() >= this.faults.delayRate) return usualMs;
    this.onFault("delay", to);
    return usualMs + random.next() * this.faults.delayMsMax;
  }

  /** Whether the fault befalls the next message. */
  draw(fault: Exclude<LinkFaultName, "delay">, from: string, to: string): boolean {
    const rate = this.#rate(fault);
    if (rate === 0 || from === to || this.#link(from, to).random.next() >= rate) return false;
    this.onFault(fault, to);
    return true;
  }

  /** A delay up to so much, from the link's own sequence. */
  anyDelayMs(from: string, to: string, firstMs: number, lastMs: number): number {
    return firstMs + this.#link(from, to).random.next() * (lastMs - firstMs);
  }

  #rate(fault: Exclude<LinkFaultName, "delay">): number {
    if (fault === "loss") return this.faults.lossRate;
    return fault === "call-loss" ? this.faults.callLossRate : this.faults.duplicateRate;
  }

  #link(from: string, to: string): Link {
    let row = this.#links.get(from);
    if (row === undefined) {
      row = new Map();
      this.#links.set(from, row);
    }
    let link = row.get(to);
    if (link === undefined) {
      link = { random: this.#world.random(`link/${from}/${to}`), cutNumber: 0, isCut: false, slowFactor: 1 };
      row.set(to, link);
    }
    return link;
  }
}
