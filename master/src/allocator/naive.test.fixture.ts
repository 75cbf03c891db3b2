import { addResources, noResources, type Resources, resources, subtractResources } from "@muster/foundation";
import { type Bound, noBound } from "./bound.ts";
import { dominantShare } from "./share.ts";

/** One framework in one role, as a naive reader of the rules would keep it. */
export interface NaiveMember {
  readonly id: string;
  readonly role: string;
  /** Uses and is offered, but for what of it is reserved. */
  held: Resources;
  isEager: boolean;
}

/** What is set aside for a role and those below it, out of what nobody reserved or out of another reservation. */
export interface NaiveReservation {
  readonly role: string;
  readonly amount: Resources;
  readonly refined: NaiveReservation | undefined;
}

/** What a member uses, or is offered, of a reservation. */
export interface NaiveUse {
  readonly member: NaiveMember;
  readonly reservation: NaiveReservation;
  readonly amount: Resources;
}

export interface NaiveQuota {
  readonly guarantee: Resources;
  readonly limit: Bound;
}

type Scalar = "cpuMillis" | "memoryMiB" | "diskMiB" | "portCount";

/** The rules of sharing out, read from lists each time anew: nothing is kept, nothing is clever. */
export class NaiveAllocator {
  readonly members: NaiveMember[] = [];
  readonly reservations: NaiveReservation[] = [];
  readonly uses: NaiveUse[] = [];
  readonly weights = new Map<string, number>();
  readonly quotas = new Map<string, NaiveQuota>();
  total: Resources = noResources;

  member(id: string, role: string): NaiveMember {
    let member = this.members.find((one) => one.id === id && one.role === role);
    if (member === undefined) {
      member = { id, role, held: noResources, isEager: false };
      this.members.push(member);
    }
    return member;
  }

  /**
   * What a role and all below it hold: what its members have that is not reserved, all that is set aside for it or below,
   * used or not, and what of reservations of roles above is used. What is held already is not counted again.
   */
  held(role: string): Resources {
    const own = this.members.filter((one) => isWithin(one.role, role)).map(({ held }) => held);
    const reserved = this.reservations
      .filter((one) => isWithin(one.role, role) && !(one.refined && isWithin(one.refined.role, role)))
      .map(({ amount }) => amount);
    const used = this.uses
      .filter(({ member, reservation }) => isWithin(member.role, role) && !isWithin(reservation.role, role))
      .map(({ amount }) => amount);
    return sumOf([...own, ...reserved, ...used]);
  }

  /** Reserved or not. */
  heldBy(member: NaiveMember): Resources {
    return sumOf([member.held, ...this.uses.filter((use) => use.member === member).map(({ amount }) => amount)]);
  }

  /** What nobody has: neither reserved nor used. */
  get available(): Resources {
    const reserved = this.reservations.filter(({ refined }) => refined === undefined).map(({ amount }) => amount);
    return subtractResources(this.total, sumOf([...this.members.map(({ held }) => held), ...reserved]));
  }

  /** What of a reservation is neither used nor refined. */
  idle(reservation: NaiveReservation): Resources {
    const used = this.uses.filter((use) => use.reservation === reservation).map(({ amount }) => amount);
    const refined = this.reservations.filter((one) => one.refined === reservation).map(({ amount }) => amount);
    return subtractResources(reservation.amount, sumOf([...used, ...refined]));
  }

  /** Everybody that wants offers and may have more, in the order in which they are asked. */
  order(): NaiveMember[] {
    return this.#order("");
  }

  #order(role: string): NaiveMember[] {
    const below = this.#below(role);
    const own = this.members.filter((one) => one.role === role && one.isEager);
    const ownHeld = sumOf(this.members.filter((one) => one.role === role).map((one) => this.heldBy(one)));
    const entries = below.map((name) => ({
      name,
      share: (dominantShare(this.held(name), this.total) * 1_000) / (this.weights.get(name) ?? 1_000),
      members: this.#isSpent(name) ? [] : this.#order(name),
    }));
    entries.push({
      name: `${role}/.`,
      share: dominantShare(ownHeld, this.total),
      members: own
        .map((one) => ({ name: one.id, share: dominantShare(this.heldBy(one), this.total), one }))
        .sort(byShare)
        .map(({ one }) => one),
    });
    return entries.sort(byShare).flatMap((entry) => entry.members);
  }

  /** The names one level below that somebody works for. */
  #below(role: string): string[] {
    const start = role === "" ? "" : `${role}/`;
    const names = this.members
      .filter((one) => one.role.startsWith(start) && one.role !== role)
      .map((one) => start + (one.role.slice(start.length).split("/")[0] ?? ""));
    return [...new Set(names)];
  }

  /** What is set aside for it is offered to it all the same. */
  #isSpent(role: string): boolean {
    if (this.reservations.some((one) => isWithin(one.role, role))) return false;
    const limit = this.quotas.get(role)?.limit ?? noBound;
    const held = this.held(role);
    return held.cpuMillis >= limit.cpuMillis || held.memoryMiB >= limit.memoryMiB;
  }

  /** What guarantees still need in all, of one thing, if a role's own frameworks held so much more of it. */
  need(name: Scalar, moreTo = "", more = 0): number {
    const needOf = (role: string): number => {
      const below = this.#levelOf(role).reduce((sum, child) => sum + needOf(child), 0);
      const extra = role !== "" && isWithin(moreTo, role) ? more : 0;
      const guarantee = this.quotas.get(role)?.guarantee[name] ?? 0;
      return Math.max(0, role === "" ? 0 : guarantee - this.held(role)[name] - extra, below);
    };
    return needOf("");
  }

  /** The names one level below that anything is known of. */
  #levelOf(role: string): string[] {
    const start = role === "" ? "" : `${role}/`;
    const known = [...this.members.map((one) => one.role), ...this.quotas.keys()];
    const names = known
      .filter((one) => one.startsWith(start) && one !== role)
      .map((one) => start + (one.slice(start.length).split("/")[0] ?? ""));
    return [...new Set(names)];
  }

  /** Whether a role's own frameworks may have so much more of one thing: no limit broken, no guarantee put at risk. */
  mayHave(role: string, name: Scalar, more: number, available: Resources): boolean {
    const parts = role.split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      const above = parts.slice(0, depth).join("/");
      if (this.held(above)[name] + more > (this.quotas.get(above)?.limit[name] ?? Number.POSITIVE_INFINITY))
        return false;
    }
    const shortNow = Math.max(0, this.need(name) - available[name]);
    const needThen = this.need(name, role, more);
    if (this.need(name) === 0) return true;
    return Math.max(0, needThen - (available[name] - more)) <= shortNow;
  }
}

export function isWithin(role: string, above: string): boolean {
  return role === above || role.startsWith(`${above}/`);
}

export function sumOf(amounts: readonly Resources[]): Resources {
  return amounts.reduce(addResources, noResources);
}

function byShare(a: { share: number; name: string }, b: { share: number; name: string }): number {
  return a.share - b.share || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

export const someAmount = (cpuMillis: number, memoryMiB: number): Resources => resources({ cpuMillis, memoryMiB });
