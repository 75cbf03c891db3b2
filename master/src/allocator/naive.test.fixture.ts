import { addResources, noResources, type Resources, resources } from "@muster/foundation";
import { type Bound, noBound } from "./bound.ts";
import { dominantShare } from "./share.ts";

/** One framework in one role, as a naive reader of the rules would keep it. */
export interface NaiveMember {
  readonly id: string;
  readonly role: string;
  held: Resources;
  isEager: boolean;
}

export interface NaiveQuota {
  readonly guarantee: Resources;
  readonly limit: Bound;
}

type Scalar = "cpuMillis" | "memoryMiB" | "diskMiB" | "portCount";

/** The rules of sharing out, read from lists each time anew: nothing is kept, nothing is clever. */
export class NaiveAllocator {
  readonly members: NaiveMember[] = [];
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

  held(role: string): Resources {
    return this.members
      .filter((one) => one.role === role || one.role.startsWith(`${role}/`))
      .reduce((sum, one) => addResources(sum, one.held), noResources);
  }

  /** Everybody that wants offers and may have more, in the order in which they are asked. */
  order(): NaiveMember[] {
    return this.#order("");
  }

  #order(role: string): NaiveMember[] {
    const below = this.#below(role);
    const own = this.members.filter((one) => one.role === role && one.isEager);
    const ownHeld = this.members
      .filter((one) => one.role === role)
      .reduce((sum, one) => addResources(sum, one.held), noResources);
    const entries = below.map((name) => ({
      name,
      share: (dominantShare(this.held(name), this.total) * 1_000) / (this.weights.get(name) ?? 1_000),
      members: this.#isSpent(name) ? [] : this.#order(name),
    }));
    entries.push({
      name: `${role}/.`,
      share: dominantShare(ownHeld, this.total),
      members: own
        .map((one) => ({ name: one.id, share: dominantShare(one.held, this.total), one }))
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

  #isSpent(role: string): boolean {
    const limit = this.quotas.get(role)?.limit ?? noBound;
    const held = this.held(role);
    return held.cpuMillis >= limit.cpuMillis || held.memoryMiB >= limit.memoryMiB;
  }

  /** What guarantees still need in all, of one thing, if a role's own frameworks held so much more of it. */
  need(name: Scalar, moreTo = "", more = 0): number {
    const needOf = (role: string): number => {
      const below = this.#levelOf(role).reduce((sum, child) => sum + needOf(child), 0);
      const extra = role !== "" && (moreTo === role || moreTo.startsWith(`${role}/`)) ? more : 0;
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

function byShare(a: { share: number; name: string }, b: { share: number; name: string }): number {
  return a.share - b.share || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

export const someAmount = (cpuMillis: number, memoryMiB: number): Resources => resources({ cpuMillis, memoryMiB });
