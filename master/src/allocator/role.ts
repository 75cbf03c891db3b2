import { noResources, ResourceSum, type Resources } from "@muster/foundation";
import type { Bound } from "./bound.ts";
import { Ranking } from "./ranking.ts";

export const weightMillisDefault = 1_000;

/** What a role is promised, and the most that it and all below it may have. */
export interface Quota {
  readonly guarantee: Resources;
  readonly limit: Bound;
}

/** Whoever works for roles: the allocator knows no more of it than its name. */
export interface Owner {
  /** Unique, and orders members of equal share. */
  readonly id: string;
}

/** A role that shares with its siblings, in proportion to their weights, what their parent has. */
export class Role<O extends Owner = Owner> {
  /** The whole name, for instance "eng/ml"; empty for the root, which is no role. */
  readonly name: string;
  /** Undefined for the root alone. */
  readonly parent: Role<O> | undefined;
  readonly children: Map<string, Role<O>> = new Map();
  /** By the id of the owner. */
  readonly members: Map<string, Member<O>> = new Map();
  /** Thousandths. */
  weightMillis = weightMillisDefault;
  quota: Quota | undefined = undefined;
  /** It, or a role above it, has a limit. */
  isLimited = false;
  /** It, or a role above it, has a guarantee. */
  isPromised = false;
  /** What it and all below it use and are offered, and all that is set aside for them. */
  readonly held: ResourceSum = new ResourceSum();
  /** Reservations for it and all below it; what they set aside is held, whether it is used or not. */
  reservationCount = 0;
  /** Its largest part of anything in the cluster, over its weight. */
  share = 0;
  isRanked = false;
  /** Members that want offers, of it and all below it. */
  eagerCount = 0;
  /** What it still needs so that its guarantee and all below it are kept. */
  need: Resources = noResources;
  /** The sum of that of its children. */
  needBelow: Resources = noResources;
  /** Its children that want offers and may have more, and itself if its own frameworks do. */
  readonly ranking: Ranking<Role<O> | Own<O>> = new Ranking();
  /** Its own frameworks, who share with its children as one of them. */
  readonly own: Own<O>;

  constructor(name: string, parent: Role<O> | undefined) {
    this.name = name;
    this.parent = parent;
    this.own = new Own(this);
    this.isLimited = parent?.isLimited ?? false;
    this.isPromised = parent?.isPromised ?? false;
  }
}

/** Whether a role is another, or stands below it. O(depth). */
export function isWithin(role: Role, above: Role): boolean {
  for (let each: Role | undefined = role; each !== undefined; each = each.parent) if (each === above) return true;
  return false;
}

/** The frameworks that work for a role itself, beside those of its children. */
export class Own<O extends Owner = Owner> {
  readonly name: string;
  readonly role: Role<O>;
  /** Kept only while the role has children: else it is what the role holds. */
  readonly held: ResourceSum = new ResourceSum();
  share = 0;
  isRanked = false;
  eagerCount = 0;
  /** Those that want offers. */
  readonly ranking: Ranking<Member<O>> = new Ranking();

  constructor(role: Role<O>) {
    this.name = `${role.name}/.`;
    this.role = role;
  }
}

/** A framework within one of its roles. */
export class Member<O extends Owner = Owner> {
  readonly owner: O;
  readonly name: string;
  readonly role: Role<O>;
  readonly held: ResourceSum = new ResourceSum();
  share = 0;
  isRanked = false;
  /** It wants offers. */
  isEager = false;
  /** Its share, and those of its roles, are to be computed before they are read. */
  isStale = false;
  /** Of those that are stale, the one that became it before. */
  staleBefore: Member<O> | undefined = undefined;

  constructor(owner: O, role: Role<O>) {
    this.owner = owner;
    this.name = owner.id;
    this.role = role;
  }
}
