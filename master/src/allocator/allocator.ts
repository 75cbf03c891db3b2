import {
  addResources,
  isEmptyResources,
  noResources,
  ResourceSum,
  type Resources,
  subtractResources,
} from "@muster/foundation";
import { type Bound, largerOf, noBound } from "./bound.ts";
import { allowanceOf, isSpent, roomOf } from "./quota.ts";
import { Member, type Own, type Owner, type Quota, Role, weightMillisDefault } from "./role.ts";
import { dominantShare } from "./share.ts";

/** Whether a member can be given what there is to give. */
export type Fits<O extends Owner> = (member: Member<O>) => boolean;

/**
 * Weighted dominant resource fairness over a tree of roles, and within a role over its frameworks, under quota.
 *
 * Knows nothing of agents, filters or time: it says whose turn it is, and how much a role may have. What is told to it
 * costs O(depth of the role); shares, needs and places in the order are worked out before they are read, once for all
 * that has changed since: O(changed members x (depth x log siblings)), or O(members + roles) after a change of the total.
 */
export class Allocator<O extends Owner = Owner> {
  /** Every role that has a framework, a quota, a weight of its own, or such a role below it, by name. */
  readonly roles: Map<string, Role<O>> = new Map();
  readonly root = new Role<O>("", undefined);
  /** The last of those whose shares are to be worked out; each knows the one before. */
  #stale: Member<O> | undefined = undefined;
  readonly #staleRoles = new Set<Role<O>>();
  #isAllStale = false;
  #areRulesStale = false;
  #total: Resources = noResources;
  /** Held on agents that are part of the total. */
  readonly #heldOfTotal = new ResourceSum();
  #quotaCount = 0;
  #guaranteeCount = 0;
  /** Something was given back, or the rules have changed: what was withheld from all may be given now. */
  isLoosened = false;

  /** What all agents have together. */
  get total(): Resources {
    return this.#total;
  }

  setTotal(total: Resources): void {
    this.#total = total;
    this.#isAllStale = true;
    this.isLoosened = true;
  }

  /** What of the total nobody holds. May be negative if agents have shrunk. */
  get available(): Resources {
    return subtractResources(this.#total, this.#heldOfTotal);
  }

  /** What is held on an agent begins or ceases to be part of the total. */
  countHeld(amount: Resources, isCounted: boolean): void {
    if (isCounted) this.#heldOfTotal.add(amount);
    else this.#heldOfTotal.subtract(amount);
    this.isLoosened = true;
  }

  get hasQuota(): boolean {
    return this.#quotaCount > 0;
  }

  get hasGuarantees(): boolean {
    return this.#guaranteeCount > 0;
  }

  setWeight(name: string, weightMillis: number): void {
    const role = this.role(name);
    role.weightMillis = weightMillis;
    this.#staleRoles.add(role);
    this.#forgetIfIdle(role);
  }

  /** Gives a role a quota, or takes it away. O(depth), and O(roles) once before the next question. */
  setQuota(name: string, quota: Quota | undefined): void {
    const role = this.role(name);
    if (role.quota) this.#quotaCount--;
    if (hasGuarantee(role)) this.#guaranteeCount--;
    role.quota = quota;
    if (quota) this.#quotaCount++;
    if (hasGuarantee(role)) this.#guaranteeCount++;
    this.#areRulesStale = true;
    this.isLoosened = true;
    this.#forgetIfIdle(role);
  }

  role(name: string): Role<O> {
    let role = this.roles.get(name);
    if (role === undefined) {
      const slash = name.lastIndexOf("/");
      const parent = slash < 0 ? this.root : this.role(name.slice(0, slash));
      role = new Role(name, parent);
      if (parent.children.size === 0)
        parent.own.held.become(parent.reservationCount > 0 ? heldByOwn(parent) : parent.held);
      parent.children.set(name, role);
      this.roles.set(name, role);
      // Its own frameworks have somebody to share with now.
      if (parent.parent !== undefined) this.#staleRoles.add(parent);
    }
    return role;
  }

  /** The place of a framework in a role, made if there is none. It begins without wanting offers. */
  member(owner: O, roleName: string): Member<O> {
    const role = this.role(roleName);
    let member = role.members.get(owner.id);
    if (member === undefined) {
      member = new Member(owner, role);
      role.members.set(owner.id, member);
    }
    if (member.owner !== owner) throw new Error(`another of the name ${owner.id} works for ${roleName}`);
    return member;
  }

  /** Forgets a framework in a role. It must hold nothing. */
  removeMember(member: Member<O>): void {
    this.setEager(member, false);
    this.#settle();
    member.role.members.delete(member.owner.id);
    this.#forgetIfIdle(member.role);
  }

  /** Whether the member wants offers. */
  setEager(member: Member<O>, isEager: boolean): void {
    if (member.isEager === isEager) return;
    member.isEager = isEager;
    const change = isEager ? 1 : -1;
    member.role.own.eagerCount += change;
    for (let role: Role<O> | undefined = member.role; role !== undefined; role = role.parent) role.eagerCount += change;
    this.#noteChange(member);
  }

  /** Books what a member uses or is offered; `isCounted` says whether the agent is part of the total. */
  hold(member: Member<O>, amount: Resources, isCounted: boolean): void {
    member.held.add(amount);
    const { own, children } = member.role;
    if (children.size > 0) own.held.add(amount);
    for (let role = member.role; role.parent !== undefined; role = role.parent) role.held.add(amount);
    if (isCounted) this.#heldOfTotal.add(amount);
    this.#noteChange(member);
  }

  release(member: Member<O>, amount: Resources, isCounted: boolean): void {
    member.held.subtract(amount);
    const { own, children } = member.role;
    if (children.size > 0) own.held.subtract(amount);
    for (let role = member.role; role.parent !== undefined; role = role.parent) role.held.subtract(amount);
    if (isCounted) this.#heldOfTotal.subtract(amount);
    this.isLoosened = true;
    this.#noteChange(member);
  }

  /**
   * Sets resources of an agent aside for a role: it holds them from now on, whether they are used or not. `refined` is
   * the role out of whose reservation they come: it holds them already, as do those above it. O(depth).
   */
  reserve(name: string, amount: Resources, isCounted: boolean, refined: Role<O> | undefined): Role<O> {
    const role = this.role(name);
    for (let each: Role<O> | undefined = role; each !== undefined; each = each.parent) each.reservationCount++;
    this.#holdUpTo(role, amount, refined, 1);
    if (refined === undefined && isCounted) this.#heldOfTotal.add(amount);
    this.#staleRoles.add(role);
    return role;
  }

  /** Gives up what was set aside; nothing of it is in use. O(depth). */
  unreserve(role: Role<O>, amount: Resources, isCounted: boolean, refined: Role<O> | undefined): void {
    for (let each: Role<O> | undefined = role; each !== undefined; each = each.parent) each.reservationCount--;
    this.#holdUpTo(role, amount, refined, -1);
    if (refined === undefined && isCounted) this.#heldOfTotal.subtract(amount);
    this.#staleRoles.add(role);
    this.isLoosened = true;
    this.#settle();
    this.#forgetIfIdle(role);
  }

  /** Books that a member uses, or is offered, what is set aside for `reserved`: its own role, or one above. O(depth). */
  holdReserved(member: Member<O>, amount: Resources, reserved: Role<O>): void {
    this.#changeReserved(member, amount, reserved, 1);
  }

  releaseReserved(member: Member<O>, amount: Resources, reserved: Role<O>): void {
    this.#changeReserved(member, amount, reserved, -1);
    this.isLoosened = true;
  }

  #changeReserved(member: Member<O>, amount: Resources, reserved: Role<O>, sign: 1 | -1): void {
    change(member.held, amount, sign);
    const { own, children } = member.role;
    if (children.size > 0) change(own.held, amount, sign);
    this.#holdUpTo(member.role, amount, reserved, sign);
    this.#noteChange(member);
  }

  /** Roles from one up to another, which itself holds it already. */
  #holdUpTo(from: Role<O>, amount: Resources, to: Role<O> | undefined, sign: 1 | -1): void {
    for (let role = from; role.parent !== undefined && role !== to; role = role.parent) change(role.held, amount, sign);
  }

  /**
   * The member that is to be offered something: of those that `fits` says yes to, the one that stands first on each
   * level of the tree. O(asked members): `fits` is asked in the order of shares.
   */
  next(fits: Fits<O>): Member<O> | undefined {
    this.#settle();
    return find(this.root, fits);
  }

  /** The same among roles whose guarantee, or one below them, is not kept yet. O(roles); O(1) without guarantees. */
  nextPromised(fits: Fits<O>): Member<O> | undefined {
    if (!this.hasGuarantees) return undefined;
    this.#settle();
    const { ranking } = this.root;
    for (let place = 0; place < ranking.size; place++) {
      const role = ranking.at(place);
      // What the roles below it need is part of what it needs itself.
      const found = role instanceof Role && role.need !== noResources ? find(role, fits) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whether anybody wants offers. */
  get hasEager(): boolean {
    return this.root.eagerCount > 0;
  }

  /** Whether anybody who wants offers may have more. */
  get hasOpen(): boolean {
    this.#settle();
    return this.root.ranking.size > 0;
  }

  /** The most that a role's own frameworks may have in addition; undefined if nothing bounds it. O(depth). */
  allowance(role: Role<O>): Bound | undefined {
    this.#settle();
    return allowanceOf(this, role);
  }

  /** What limits alone leave to a role, its own and those above, but for `below` and those above that. O(depth). */
  room(role: Role<O>, below?: Role<O>): Bound {
    this.#settle();
    return roomOf(role, below);
  }

  /** Works out all that is read: shares, needs, the order. To be called before roles are looked at. */
  settle(): void {
    this.#settle();
  }

  #noteChange(member: Member<O>): void {
    if (member.isStale) return;
    member.isStale = true;
    member.staleBefore = this.#stale;
    this.#stale = member;
  }

  #settle(): void {
    if (this.#areRulesStale) {
      this.#areRulesStale = false;
      inherit(this.root);
      for (const role of this.roles.values()) this.#staleRoles.add(role);
    }
    if (this.#isAllStale) this.#rankAll();
    if (this.#staleRoles.size > 0) {
      for (const role of this.#staleRoles) if (this.roles.get(role.name) === role) this.#rankUp(role);
      this.#staleRoles.clear();
    }
    let next = this.#stale;
    this.#stale = undefined;
    while (next !== undefined) {
      const member = next;
      next = member.staleBefore;
      member.staleBefore = undefined;
      member.isStale = false;
      member.role.own.ranking.place(member, dominantShare(member.held, this.#total), member.isEager);
      this.#rankUp(member.role);
    }
  }

  /** Gives a role and those above it their places. */
  #rankUp(role: Role<O>): void {
    const { own } = role;
    // Without children there is nobody whom its own frameworks share with.
    if (role.children.size > 0 || own.isRanked)
      role.ranking.place(own, dominantShare(own.held, this.#total), own.eagerCount > 0 && role.children.size > 0);
    for (let each: Role<O> = role; each.parent !== undefined; each = each.parent) {
      needUp(each);
      // What is set aside for a role is offered to it also when it may have nothing else.
      const wants = each.eagerCount > 0 && !(each.quota && each.reservationCount === 0 && isSpent(each));
      each.parent.ranking.place(each, this.#shareOf(each), wants);
    }
  }

  #shareOf(role: Role<O>): number {
    return (dominantShare(role.held, this.#total) * 1_000) / role.weightMillis;
  }

  #rankAll(): void {
    this.#isAllStale = false;
    const shareOf = (entry: Role<O> | Own<O>): number =>
      entry instanceof Role ? this.#shareOf(entry) : dominantShare(entry.held, this.#total);
    const ofMember = (member: Member<O>): number => dominantShare(member.held, this.#total);
    this.root.ranking.rerank(shareOf);
    for (const role of this.roles.values()) {
      if (!role.isRanked) role.share = this.#shareOf(role);
      role.ranking.rerank(shareOf);
      role.own.ranking.rerank(ofMember);
    }
  }

  /** A role that nobody works for and nothing is said of leaves no trace. */
  #forgetIfIdle(from: Role<O>): void {
    for (let role: Role<O> = from; role.parent !== undefined; role = role.parent) {
      if (role.members.size > 0 || role.children.size > 0 || role.reservationCount > 0) return;
      if (role.quota !== undefined || role.weightMillis !== weightMillisDefault) return;
      if (role.isRanked) role.parent.ranking.place(role, role.share, false);
      if (role.need !== noResources) role.parent.needBelow = subtractResources(role.parent.needBelow, role.need);
      this.roles.delete(role.name);
      role.parent.children.delete(role.name);
      this.#staleRoles.delete(role);
      if (role.parent.parent !== undefined) this.#staleRoles.add(role.parent);
    }
  }
}

function change(sum: ResourceSum, amount: Resources, sign: 1 | -1): void {
  if (sign === 1) sum.add(amount);
  else sum.subtract(amount);
}

/** What a role's own frameworks use and are offered. */
function heldByOwn(role: Role): Resources {
  let held = noResources;
  for (const member of role.members.values()) held = addResources(held, member.held);
  return held;
}

function hasGuarantee({ quota }: Role): boolean {
  return quota !== undefined && !isEmptyResources(quota.guarantee);
}

/** Who has a limit or a guarantee above. O(roles). */
function inherit(role: Role): void {
  for (const child of role.children.values()) {
    child.isLimited = role.isLimited || (child.quota !== undefined && child.quota.limit !== noBound);
    child.isPromised = role.isPromised || hasGuarantee(child);
    inherit(child);
  }
}

function find<O extends Owner>(role: Role<O>, fits: Fits<O>): Member<O> | undefined {
  if (role.children.size === 0) return findOwn(role.own, fits);
  const { ranking } = role;
  for (let place = 0; place < ranking.size; place++) {
    const entry = ranking.at(place) as Role<O> | Own<O>;
    const found = entry instanceof Role ? find(entry, fits) : findOwn(entry, fits);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findOwn<O extends Owner>(own: Own<O>, fits: Fits<O>): Member<O> | undefined {
  const { ranking } = own;
  for (let place = 0; place < ranking.size; place++) {
    const member = ranking.at(place);
    if (member !== undefined && fits(member)) return member;
  }
  return undefined;
}

/** Works out what a role still needs, and tells its parent the difference. */
function needUp(role: Role): void {
  const { quota, parent } = role;
  if (parent === undefined) return;
  let need = role.needBelow;
  if (quota) need = largerOf(subtractResources(quota.guarantee, role.held), need);
  if (isNothing(need)) need = noResources;
  if (need === role.need) return;
  parent.needBelow = subtractResources(addResources(parent.needBelow, need), role.need);
  role.need = need;
}

function isNothing({ cpuMillis, memoryMiB, diskMiB, portCount, custom }: Resources): boolean {
  if (cpuMillis !== 0 || memoryMiB !== 0 || diskMiB !== 0 || portCount !== 0) return false;
  for (const name in custom) if (custom[name] !== 0) return false;
  return true;
}
