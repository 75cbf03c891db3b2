import type { Cancel, Random } from "@muster/foundation";
import type { AgentHost } from "../cluster/agent-host.ts";
import type { Program } from "../cluster/program.ts";
import { calmLinks, type LinkFaults, type Links } from "../world/links.ts";
import { calmStore, type StoreFaults, type StoreGround } from "../world/store.ts";
import type { World } from "../world/world.ts";
import type { Hits } from "./hits.ts";
import type { Affliction } from "./nemesis.ts";

/** How far wall clocks may jump, in milliseconds. */
export const skewMsMax = 3_600_000;
/** How much longer messages of a slow link take. */
const slowFactorMax = 300;
/** A machine that has lost its power is back after at most so long. */
const bootMsMax = 30_000;

/** Everything that the nemesis may lay hands on. */
export interface Sufferers {
  readonly world: World;
  readonly links: Links;
  readonly hits: Hits;
  readonly programs: readonly Program[];
  /** Hosts of agents, by name of the program. */
  readonly hosts: ReadonlyMap<string, AgentHost>;
  readonly store: StoreGround;
}

/** Every fault of every component; hits of single messages and operations are counted where they befall. */
export function afflictionsOf(sufferers: Sufferers): Affliction[] {
  const random = sufferers.world.random("afflictions");
  const componentOf = new Map(sufferers.programs.map(({ name, component }) => [name, component]));
  sufferers.links.onFault = (fault, host) => sufferers.hits.add(fault, componentOf.get(host) ?? host);
  sufferers.store.onFault = (fault) => sufferers.hits.add(fault, "store");
  for (const { disk } of sufferers.hosts.values()) disk.onFault = (fault) => sufferers.hits.add(fault, "agent");
  return [
    ...sufferers.programs.flatMap((program) => programAfflictions(sufferers, program, random)),
    ...[...sufferers.hosts.keys()].flatMap((name) => hostAfflictions(sufferers, name, random)),
    ...linkAfflictions(sufferers, random),
    ...storeAfflictions(sufferers, random),
    partition(sufferers, random, componentOf),
  ];
}

function programAfflictions({ world, links, programs }: Sufferers, program: Program, random: Random): Affliction[] {
  const { name, component } = program;
  const others = programs.filter((other) => other !== program).map((other) => other.name);
  const cut = (isIn: boolean, isOut: boolean): Cancel => {
    for (const other of others) {
      if (isIn) links.cut(other, name);
      if (isOut) links.cut(name, other);
    }
    return () => heal(links, name, others);
  };
  // A master that is gone is no reason to give agents up, one that hears nobody is; others cut off but themselves.
  const cutsOff = component === "master" ? undefined : [name];
  const of = (fault: string, inflict: Affliction["inflict"], more: Partial<Affliction> = {}): Affliction => ({
    fault,
    component,
    inflict,
    ...(cutsOff ? { cutsOff } : {}),
    ...more,
  });
  return [
    of("crash", () => program.crash("killed", random.next() < 0.3 ? random.next() * 30_000 : undefined), {
      cutsOff: component === "master" ? [] : [name],
    }),
    of("pause", (lastsMs) => {
      if (program.life === undefined) return false;
      world.pause(program.life, lastsMs);
      return () => {};
    }),
    of("cut", () => cut(true, true)),
    of("cut-in", () => cut(true, false)),
    of("cut-out", () => cut(false, true)),
    of("slow", () => {
      const factor = 1 + random.next() ** 2 * slowFactorMax;
      for (const other of others) {
        links.slow(other, name, factor);
        links.slow(name, other, factor);
      }
      return () => heal(links, name, others);
    }),
    of("skew", () => {
      world.skew(name, Math.round((2 * random.next() - 1) * skewMsMax));
      return () => world.skew(name, 0);
    }),
  ];
}

function heal(links: Links, name: string, others: readonly string[]): void {
  for (const other of others) {
    links.heal(other, name);
    links.heal(name, other);
  }
}

function hostAfflictions(sufferers: Sufferers, name: string, random: Random): Affliction[] {
  const host = sufferers.hosts.get(name);
  const program = sufferers.programs.find((candidate) => candidate.name === name);
  if (host === undefined || program === undefined) return [];
  const { disk, processes } = host;
  const of = (fault: string, inflict: Affliction["inflict"]): Affliction => ({
    fault,
    component: "agent",
    cutsOff: [name],
    inflict,
  });
  return [
    of("reboot", () => host.reboot(random.next() * bootMsMax)),
    {
      // A crash that falls into a commit by chance is rare: this one waits for it.
      ...of("disk-torn", () => {
        disk.onCommit = () => sufferers.world.after(undefined, 0.1, "crash-in-commit", () => program.crash());
        return () => {
          disk.onCommit = undefined;
        };
      }),
      isCountedElsewhere: true,
    },
    of("task-killed", () => processes.killOne()),
    of("supervisor-lost", () => processes.loseOne()),
    {
      ...of("disk-full", () => {
        disk.faults = { ...disk.faults, isFull: true };
        return () => {
          disk.faults = { ...disk.faults, isFull: false };
        };
      }),
      isCountedElsewhere: true,
    },
    {
      ...of("disk-slow", () => {
        disk.faults = { ...disk.faults, slowRate: random.next(), delayMsMax: random.next() * 5_000 };
        return () => {
          disk.faults = { ...disk.faults, slowRate: 0 };
        };
      }),
      isCountedElsewhere: true,
    },
  ];
}

/** Rates stay small enough that a cluster still gets something done. */
function linkAfflictions({ links }: Sufferers, random: Random): Affliction[] {
  const of = (fault: string, faults: () => Partial<LinkFaults>): Affliction => ({
    fault,
    component: "network",
    isCountedElsewhere: true,
    inflict: () => {
      const changed = faults();
      links.faults = { ...links.faults, ...changed };
      return () => {
        const calm = Object.fromEntries(
          Object.keys(changed).map((name) => [name, calmLinks[name as keyof LinkFaults]]),
        );
        links.faults = { ...links.faults, ...calm };
      };
    },
  });
  return [
    of("delay", () => ({ delayRate: random.next() * 0.5, delayMsMax: random.next() ** 2 * 5_000 })),
    of("loss", () => ({ lossRate: random.next() ** 2 * 0.1 })),
    of("call-loss", () => ({ callLossRate: random.next() * 0.3 })),
    of("duplicate", () => ({ duplicateRate: random.next() * 0.5 })),
  ];
}

function storeAfflictions({ store }: Sufferers, random: Random): Affliction[] {
  const of = (fault: string, faults: () => Partial<StoreFaults>): Affliction => ({
    fault,
    component: "store",
    cutsOff: [],
    isCountedElsewhere: true,
    inflict: () => {
      store.faults = { ...store.faults, ...faults() };
      return () => {
        store.faults = { ...calmStore };
      };
    },
  });
  return [
    of("store-refused", () => ({ refuseRate: random.next() * 0.3 })),
    of("store-answer-lost", () => ({ answerLostRate: random.next() * 0.3 })),
    of("store-slow", () => ({ slowRate: random.next(), delayMsMax: random.next() * 3_000 })),
  ];
}

/** Some hosts see each other, and no others. */
function partition(
  { links, hits, programs }: Sufferers,
  random: Random,
  componentOf: ReadonlyMap<string, string>,
): Affliction {
  return {
    fault: "partition",
    component: "network",
    isCountedElsewhere: true,
    inflict: () => {
      const here = programs.map(({ name }) => name).filter(() => random.next() < 0.5);
      const there = programs.map(({ name }) => name).filter((name) => !here.includes(name));
      if (here.length === 0 || there.length === 0) return false;
      const smaller = here.length <= there.length ? here : there;
      for (const name of smaller) hits.add("partition", componentOf.get(name) ?? name);
      for (const a of here) {
        for (const b of there) {
          links.cut(a, b);
          links.cut(b, a);
        }
      }
      return () => {
        for (const a of here) heal(links, a, there);
      };
    },
  };
}
