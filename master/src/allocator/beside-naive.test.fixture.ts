import { addResources, noResources, type Resources, resources } from "@muster/foundation";
import { smallerOf } from "../core/set-aside/shares.ts";
import { Allocator, type Fits } from "./allocator.ts";
import {
  isWithin,
  NaiveAllocator,
  type NaiveMember,
  type NaiveQuota,
  type NaiveReservation,
  type NaiveUse,
} from "./naive.test.fixture.ts";
import type { Owner } from "./role.ts";

export const roleNames = ["a", "a/x", "a/x/1", "a/y", "a-b", "b", "b/x", "c"];

type Named = Pick<NaiveMember, "id" | "role">;

/** What happens to a cluster, as far as its sharing out knows of it. A `pick` chooses one of those that there are. */
export type Action =
  | { readonly type: "hold"; readonly member: Named; readonly amount: Resources }
  | { readonly type: "release" | "forget"; readonly member: Named }
  | { readonly type: "eager"; readonly member: Named; readonly isEager: boolean }
  | { readonly type: "weight"; readonly role: string; readonly weight: number }
  | { readonly type: "quota"; readonly role: string; readonly quota: NaiveQuota | undefined }
  | { readonly type: "total"; readonly amount: Resources }
  | {
      readonly type: "reserve";
      readonly role: string;
      readonly amount: Resources;
      readonly pick: number;
      readonly isRefinement: boolean;
    }
  | { readonly type: "unreserve" | "end-use"; readonly pick: number }
  | {
      readonly type: "use";
      readonly member: Named;
      readonly amount: Resources;
      readonly pick: number;
      readonly rolePick: number;
    };

/** One allocator beside the naive one; whatever is done to one is done to the other. */
export class Both {
  allocator = new Allocator();
  readonly naive = new NaiveAllocator();
  readonly #owners = new Map<string, Owner>();

  constructor() {
    this.#setTotal(resources({ cpuMillis: 10_000, memoryMiB: 10_000 }));
  }

  do(done: Action): void {
    switch (done.type) {
      case "hold":
        this.#hold(this.#member(done), done.amount);
        break;
      case "release":
        this.#release(this.#member(done));
        break;
      case "eager":
        this.#member(done).isEager = done.isEager;
        this.allocator.setEager(this.#real(this.#member(done)), done.isEager);
        break;
      case "weight":
        this.naive.weights.set(done.role, done.weight * 1_000);
        this.allocator.setWeight(done.role, done.weight * 1_000);
        break;
      case "quota":
        if (done.quota) this.naive.quotas.set(done.role, done.quota);
        else this.naive.quotas.delete(done.role);
        this.allocator.setQuota(done.role, done.quota);
        break;
      case "total":
        this.#setTotal(done.amount);
        break;
      case "forget":
        this.#forget(done.member);
        break;
      case "reserve":
        this.#reserve(done);
        break;
      case "unreserve":
        this.#unreserve(done.pick);
        break;
      case "use":
        this.#use(done);
        break;
      case "end-use": {
        const use = pickOf(this.naive.uses, done.pick);
        if (use) this.#endUse(use);
        break;
      }
    }
  }

  /** Forgets all that was worked out on the way: another allocator is told what is, and nothing of how it came to be. */
  beginAnew(): void {
    const { total, weights, quotas, reservations, members, uses } = this.naive;
    this.allocator = new Allocator();
    this.allocator.setTotal(total);
    for (const [role, weightMillis] of weights) this.allocator.setWeight(role, weightMillis);
    for (const [role, quota] of quotas) this.allocator.setQuota(role, quota);
    for (const { role, amount: set, refined } of reservations) {
      const from = refined && this.allocator.roles.get(refined.role);
      this.allocator.reserve(role, set, true, from);
    }
    for (const member of members) {
      this.allocator.hold(this.#real(member), member.held, true);
      this.allocator.setEager(this.#real(member), member.isEager);
    }
    for (const use of uses) this.allocator.holdReserved(this.#real(use.member), use.amount, this.#roleOf(use));
  }

  /** Everybody in the order in which they are asked. */
  asked(): string[] {
    return listOf((fits) => this.allocator.next(fits));
  }

  /** Those whose guarantee is not kept. */
  askedFirst(): string[] {
    return listOf((fits) => this.allocator.nextPromised(fits));
  }

  /** All that is read of it. */
  picture(): object {
    const { allocator } = this;
    allocator.settle();
    const roles = [...allocator.roles.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      asked: this.asked(),
      askedFirst: this.askedFirst(),
      available: allocator.available,
      roles: roles.map((role) => ({
        ...{ name: role.name, held: role.held, need: role.need, share: role.share, isLimited: role.isLimited },
        ...{ isPromised: role.isPromised, reservationCount: role.reservationCount, eagerCount: role.eagerCount },
        ...{ allowance: allocator.allowance(role), room: allocator.room(role) },
        members: [...role.members.values()].map(({ name, held }) => ({ name, held })).sort(byName),
      })),
    };
  }

  #member({ member: { id, role } }: { readonly member: Named }): NaiveMember {
    return this.naive.member(id, role);
  }

  #real({ id, role }: NaiveMember) {
    const owner = this.#owners.get(id) ?? { id };
    this.#owners.set(id, owner);
    return this.allocator.member(owner, role);
  }

  #roleOf({ reservation }: NaiveUse) {
    return this.allocator.role(reservation.role);
  }

  #setTotal(total: Resources): void {
    this.naive.total = total;
    this.allocator.setTotal(total);
  }

  #hold(member: NaiveMember, more: Resources): void {
    member.held = addResources(member.held, more);
    this.allocator.hold(this.#real(member), more, true);
  }

  #release(member: NaiveMember): void {
    this.allocator.release(this.#real(member), member.held, true);
    member.held = noResources;
  }

  #forget({ id, role }: Named): void {
    const index = this.naive.members.findIndex((one) => one.id === id && one.role === role);
    const known = this.naive.members[index];
    if (known === undefined) return;
    for (const use of this.naive.uses.filter(({ member: user }) => user === known)) this.#endUse(use);
    this.#release(known);
    this.naive.members.splice(index, 1);
    this.allocator.removeMember(this.#real(known));
  }

  #reserve({ role, amount: wanted, pick, isRefinement }: Extract<Action, { type: "reserve" }>): void {
    const refined = isRefinement ? pickOf(this.naive.reservations, pick) : undefined;
    const below = refined && roleNames.filter((name) => name !== refined.role && isWithin(name, refined.role));
    const name = below ? pickOf(below, pick) : role;
    if (name === undefined) return;
    const set = refined ? smallerOf(wanted, this.naive.idle(refined)) : wanted;
    this.naive.reservations.push({ role: name, amount: set, refined });
    this.allocator.reserve(name, set, true, refined && this.allocator.role(refined.role));
  }

  /** Only what nothing of is in use, or refined. */
  #unreserve(pick: number): void {
    const { reservations, uses } = this.naive;
    const isFree = (one: NaiveReservation): boolean =>
      !uses.some(({ reservation }) => reservation === one) && !reservations.some(({ refined }) => refined === one);
    const reservation = pickOf(reservations.filter(isFree), pick);
    if (reservation === undefined) return;
    const { role, amount: set, refined } = reservation;
    reservations.splice(reservations.indexOf(reservation), 1);
    this.allocator.unreserve(this.allocator.role(role), set, true, refined && this.allocator.role(refined.role));
  }

  #use({ member: { id }, amount: wanted, pick, rolePick }: Extract<Action, { type: "use" }>): void {
    const reservation = pickOf(this.naive.reservations, pick);
    if (reservation === undefined) return;
    const role = pickOf(
      roleNames.filter((name) => isWithin(name, reservation.role)),
      rolePick,
    );
    const use = {
      ...{ member: this.naive.member(id, role ?? reservation.role), reservation },
      amount: smallerOf(wanted, this.naive.idle(reservation)),
    };
    this.naive.uses.push(use);
    this.allocator.holdReserved(this.#real(use.member), use.amount, this.#roleOf(use));
  }

  #endUse(use: NaiveUse): void {
    this.naive.uses.splice(this.naive.uses.indexOf(use), 1);
    this.allocator.releaseReserved(this.#real(use.member), use.amount, this.#roleOf(use));
  }
}

function pickOf<T>(among: readonly T[], pick: number): T | undefined {
  return among[pick % Math.max(1, among.length)];
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function listOf(next: (fits: Fits<Owner>) => unknown): string[] {
  const asked: string[] = [];
  next(({ name, role }) => {
    asked.push(`${role.name} ${name}`);
    return false;
  });
  return asked;
}
