import { affinityScore, type Need, type OpenRoom, resolveText, type Spread, spreadsOf } from "@muster/framework-sdk";

/** Less than this is not worth the restart of an instance. */
export const minGain = 0.02;

/** How full agents are. */
export interface Loads {
  all(): Iterable<OpenRoom>;
  of(agentId: string): OpenRoom | undefined;
  /** 0 to 1. */
  loadOf(agentId: string): number;
  /** What part of an agent one instance takes, 0 to 1. */
  shareOf(agentId: string, need: Need): number;
}

/** What is spread or liked counts for more than neighbours, as where instances are placed. */
const preferenceFactor = 2;

interface SpreadView {
  readonly weight: number;
  /** How many instances a value is to have, and has, by what it counts as. */
  readonly targets: ReadonlyMap<string, number>;
  readonly counts: Map<string, number>;
  readonly classOf: (agentId: string) => string;
  readonly attribute: string;
}

/** Of agents that lack the property. */
const noClass = "";

/**
 * How well the instances of one group are distributed, as one sum that moves make less: squares of neighbours on one
 * agent, unless the job packs; squares of what values of a spread are off their shares; what is liked; and, where the job
 * says so, how full agents are. A move's effect is that of the agent that it leaves and that of the one it goes to, so
 * the best of many is found without looking at each pair.
 */
export class BalanceOfGroup {
  readonly #need: Need;
  readonly #loads: Loads;
  readonly #byAgent = new Map<string, number>();
  readonly #spreads: readonly SpreadView[];
  /** How much one neighbour counts for. */
  readonly #crowding: number;

  /** `present`: the agents of all its instances. O(instances + agents × spreads). */
  constructor(need: Need, count: number, present: readonly string[], loads: Loads) {
    this.#need = need;
    this.#loads = loads;
    for (const agentId of present) this.#byAgent.set(agentId, (this.#byAgent.get(agentId) ?? 0) + 1);
    const spreads = spreadsOf(need);
    const weights = spreads.reduce((sum, { weight }) => sum + weight, 0);
    this.#spreads = spreads.map((spread) => this.#viewOf(spread, spread.weight / weights, count));
    const isPlain = spreads.length === 0 && (need.affinities?.length ?? 0) === 0;
    this.#crowding = need.policy === "pack" ? 0 : 1 / (isPlain ? 1 : Math.max(1, count));
  }

  /** How much better a move makes it. */
  gain(from: string, to: string): number {
    return this.released(from) - this.cost(to) + this.#sameClass(from, to);
  }

  /** What the sum loses when an instance leaves an agent. */
  released(agentId: string): number {
    const count = this.#byAgent.get(agentId) ?? 0;
    return (
      this.#crowding * (2 * count - 1) +
      this.#sumOfSpreads((view) => 2 * this.#surplus(view, agentId) - 1) -
      this.#liking(agentId) +
      this.#loadPart(agentId, -1)
    );
  }

  /** What the sum gains when an instance comes to an agent. */
  cost(agentId: string): number {
    const count = this.#byAgent.get(agentId) ?? 0;
    return (
      this.#crowding * (2 * count + 1) +
      this.#sumOfSpreads((view) => 2 * this.#surplus(view, agentId) + 1) -
      this.#liking(agentId) +
      this.#loadPart(agentId, 1)
    );
  }

  moved(from: string, to: string): void {
    this.#byAgent.set(from, (this.#byAgent.get(from) ?? 1) - 1);
    this.#byAgent.set(to, (this.#byAgent.get(to) ?? 0) + 1);
    for (const { counts, classOf } of this.#spreads) {
      counts.set(classOf(from), (counts.get(classOf(from)) ?? 1) - 1);
      counts.set(classOf(to), (counts.get(classOf(to)) ?? 0) + 1);
    }
  }

  /** What most of a move's gain is. To be asked before it is noted as made. */
  reasonOf(from: string, to: string, fromName: string, toName: string): string {
    const have = (agentId: string): number => this.#byAgent.get(agentId) ?? 0;
    const [spread] = this.#spreads
      .map((view) => ({ view, gain: view.weight * (this.#surplus(view, from) - this.#surplus(view, to) - 1) }))
      .filter(({ view }) => view.classOf(from) !== view.classOf(to))
      .sort((a, b) => b.gain - a.gain);
    const parts: { readonly gain: number; readonly text: string }[] = [
      {
        gain: this.#crowding * 2 * (have(from) - have(to) - 1),
        text: `${fromName} has ${have(from)} instances of the group, ${toName} has ${have(to)}`,
      },
      { gain: this.#liking(to) - this.#liking(from), text: `its affinities prefer ${toName}` },
      {
        gain: this.#loadPart(from, -1) - this.#loadPart(to, 1),
        text: `${fromName} is ${percent(this.#loads.loadOf(from))} full, ${toName} ${percent(this.#loads.loadOf(to))}, and the job ${this.#need.policy === "pack" ? "packs" : "spreads"}`,
      },
    ];
    if (spread) {
      const { view } = spread;
      const [a, b] = [view.classOf(from), view.classOf(to)];
      const text = `${view.attribute}: ${named(a)} has ${view.counts.get(a) ?? 0} instances, ${named(b)} has ${view.counts.get(b) ?? 0}`;
      parts.push({ gain: preferenceFactor * 2 * spread.gain, text });
    }
    return parts.reduce((best, one) => (one.gain > best.gain ? one : best)).text;
  }

  /** Where source and target count as the same the spread does not change, whatever the parts say. */
  #sameClass(from: string, to: string): number {
    return this.#sumOfSpreads((view) => (view.classOf(from) === view.classOf(to) ? 2 : 0));
  }

  #sumOfSpreads(part: (view: SpreadView) => number): number {
    let sum = 0;
    for (const view of this.#spreads) sum += preferenceFactor * view.weight * part(view);
    return sum;
  }

  #surplus({ counts, targets, classOf }: SpreadView, agentId: string): number {
    const name = classOf(agentId);
    return (counts.get(name) ?? 0) - (targets.get(name) ?? 0);
  }

  #liking(agentId: string): number {
    const room = this.#loads.of(agentId);
    const { affinities = [] } = this.#need;
    return room && affinities.length > 0 ? affinityScore(affinities, room) : 0;
  }

  /** How the sum changes by how full an agent is, when an instance comes to it (1), or leaves it (-1): then what is lost. */
  #loadPart(agentId: string, sign: 1 | -1): number {
    const { policy } = this.#need;
    if (policy === undefined) return 0;
    const load = this.#loads.loadOf(agentId);
    const share = this.#loads.shareOf(agentId, this.#need);
    const change = sign * ((load + sign * share) ** 2 - load ** 2);
    return policy === "spread" ? change : -change;
  }

  #viewOf({ attribute, targets }: Spread, weight: number, count: number): SpreadView {
    const named = new Set(targets.map(({ value }) => value));
    const classes = new Map<string, string>();
    const classOf = (agentId: string): string => {
      let known = classes.get(agentId);
      if (known === undefined) {
        const room = this.#loads.of(agentId);
        const value = room && resolveText(attribute, room);
        known = value === undefined ? noClass : targets.length === 0 || named.has(value) ? `=${value}` : "*";
        classes.set(agentId, known);
      }
      return known;
    };
    const counts = new Map<string, number>();
    for (const [agentId, present] of this.#byAgent)
      counts.set(classOf(agentId), (counts.get(classOf(agentId)) ?? 0) + present);
    const wanted = new Map<string, number>();
    if (targets.length > 0) {
      for (const { value, percent: part } of targets) wanted.set(`=${value}`, (part * count) / 100);
      const left = 100 - targets.reduce((sum, one) => sum + one.percent, 0);
      wanted.set("*", (Math.max(0, left) * count) / 100);
    } else {
      const values = new Set([...this.#loads.all()].map(({ agentId }) => classOf(agentId)));
      values.delete(noClass);
      for (const value of values) wanted.set(value, count / Math.max(1, values.size));
    }
    return { weight, targets: wanted, counts, classOf, attribute };
  }
}

function named(name: string): string {
  if (name === noClass) return "no value";
  return name === "*" ? "all other values" : name.slice(1);
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
