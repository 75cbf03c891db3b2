import { addResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import { IndexedHeap } from "../core/heap.ts";

/** A role that shares the cluster with others, in proportion to its weight. */
export class Role {
  readonly name: string;
  /** Thousandths: 1,000 is the usual weight. */
  weightMillis = 1_000;
  /** What its frameworks use and are offered. */
  held: Resources = noResources;
  /** Its largest part of anything in the cluster, over its weight. */
  share = 0;
  heapIndex = -1;
  readonly members: Map<string, Member> = new Map();
  /** Those of its members that want offers, least share first. */
  readonly eager = new IndexedHeap<Member>(before);

  constructor(name: string) {
    this.name = name;
  }
}

/** A framework within one of its roles. */
export class Member {
  readonly frameworkId: string;
  /** Orders those of equal share. */
  readonly name: string;
  readonly role: Role;
  held: Resources = noResources;
  share = 0;
  heapIndex = -1;

  constructor(frameworkId: string, role: Role) {
    this.frameworkId = frameworkId;
    this.name = frameworkId;
    this.role = role;
  }
}

function before(a: { share: number; name: string }, b: { share: number; name: string }): boolean {
  return a.share < b.share || (a.share === b.share && a.name < b.name);
}

/**
 * Weighted dominant resource fairness over roles, and within a role over its frameworks. Flat: roles have no children.
 *
 * Knows nothing of agents, filters or time: it says whose turn it is. All state changes are O(log roles + log members);
 * a change of the cluster's total is O(roles + members), done once before the next turn.
 */
export class Allocator {
  readonly roles: Map<string, Role> = new Map();
  readonly #eager = new IndexedHeap<Role>(before);
  readonly #passedRoles: Role[] = [];
  readonly #passedMembers: Member[] = [];
  #total: Resources = noResources;
  #stale = false;

  get total(): Resources {
    return this.#total;
  }

  /** What all agents have together. */
  setTotal(total: Resources): void {
    this.#total = total;
    this.#stale = true;
  }

  setWeight(name: string, weightMillis: number): void {
    this.role(name).weightMillis = weightMillis;
    this.#stale = true;
  }

  role(name: string): Role {
    let role = this.roles.get(name);
    if (role === undefined) {
      role = new Role(name);
      this.roles.set(name, role);
    }
    return role;
  }

  /** The framework's place in a role, made if there is none. It begins without wanting offers. */
  member(frameworkId: string, roleName: string): Member {
    const role = this.role(roleName);
    let member = role.members.get(frameworkId);
    if (member === undefined) {
      member = new Member(frameworkId, role);
      role.members.set(frameworkId, member);
    }
    return member;
  }

  /** Forgets a framework in a role. It must hold nothing. */
  removeMember(member: Member): void {
    this.setEager(member, false);
    member.role.members.delete(member.frameworkId);
    if (member.role.members.size === 0 && member.role.weightMillis === 1_000) this.roles.delete(member.role.name);
  }

  /** Whether the member wants offers. */
  setEager(member: Member, eager: boolean): void {
    const { role } = member;
    if (eager === member.heapIndex >= 0) return;
    if (eager) role.eager.push(member);
    else role.eager.remove(member);
    if (role.eager.size === 0) this.#eager.remove(role);
    else if (role.heapIndex < 0) this.#eager.push(role);
  }

  hold(member: Member, amount: Resources): void {
    member.held = addResources(member.held, amount);
    member.role.held = addResources(member.role.held, amount);
    this.#weigh(member);
  }

  release(member: Member, amount: Resources): void {
    member.held = subtractResources(member.held, amount);
    member.role.held = subtractResources(member.role.held, amount);
    this.#weigh(member);
  }

  /**
   * The member that is to be offered something: of those that `fits` says yes to, the one with the least share in the
   * role with the least share. O(asked members x log members); `fits` is asked in the order of shares.
   */
  next(fits: (member: Member) => boolean): Member | undefined {
    if (this.#stale) this.#weighAll();
    let found: Member | undefined;
    while (found === undefined) {
      const role = this.#eager.pop();
      if (role === undefined) break;
      this.#passedRoles.push(role);
      while (found === undefined) {
        const member = role.eager.pop();
        if (member === undefined) break;
        this.#passedMembers.push(member);
        if (fits(member)) found = member;
      }
      for (const member of this.#passedMembers) role.eager.push(member);
      this.#passedMembers.length = 0;
    }
    for (const role of this.#passedRoles) this.#eager.push(role);
    this.#passedRoles.length = 0;
    return found;
  }

  get hasEager(): boolean {
    return this.#eager.size > 0;
  }

  #weigh(member: Member): void {
    const { role } = member;
    member.share = dominantShare(member.held, this.#total);
    role.share = (dominantShare(role.held, this.#total) * 1_000) / role.weightMillis;
    role.eager.moved(member);
    this.#eager.moved(role);
  }

  #weighAll(): void {
    this.#stale = false;
    for (const role of this.roles.values()) {
      role.share = (dominantShare(role.held, this.#total) * 1_000) / role.weightMillis;
      for (const member of role.members.values()) member.share = dominantShare(member.held, this.#total);
      role.eager.rebuild();
    }
    this.#eager.rebuild();
  }
}

/** The largest part of anything, 0 to 1. Ports do not count: there are always enough of them. */
export function dominantShare(held: Resources, total: Resources): number {
  let share = 0;
  if (held.cpuMillis > 0) share = Math.max(share, held.cpuMillis / Math.max(1, total.cpuMillis));
  if (held.memoryMiB > 0) share = Math.max(share, held.memoryMiB / Math.max(1, total.memoryMiB));
  if (held.diskMiB > 0) share = Math.max(share, held.diskMiB / Math.max(1, total.diskMiB));
  for (const name in held.custom) {
    const amount = held.custom[name] ?? 0;
    if (amount > 0)
      share = Math.max(share, amount / Math.max(1, Object.hasOwn(total.custom, name) ? (total.custom[name] ?? 0) : 0));
  }
  return share;
}
