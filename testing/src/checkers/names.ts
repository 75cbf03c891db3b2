import { type Violation, violation } from "@muster/master";

export interface NamesMoment {
  readonly nowMs: number;
  /** What DNS answers, as "name endpoint", for instance "web.services 10.0.0.1:20003"; undefined: it does not answer. */
  readonly answers: ReadonlySet<string> | undefined;
  /** What is alive and healthy, in the same words. */
  readonly alive: ReadonlySet<string>;
  /** When something last hindered the news on their way from the host of an endpoint to DNS. */
  hinderedAtMs(answer: string): number;
  /** When something last gave a reason to take the host of an endpoint for lost, or its tasks away. */
  cutOffAtMs(answer: string): number;
}

export interface NamesBounds {
  /** How long the name of a dead task may be answered once nothing hinders the news. */
  readonly deadMs: number;
  /** How long the name of a living, healthy task may be missing once nothing hinders the news. */
  readonly missingMs: number;
  /** How long a name that was answered may be missing while its task lives: a task that is being ended lives so long. */
  readonly lostMs: number;
}

/** Reads DNS's answers: none names what is dead past its bound, and none that it has named is lost while it lives. */
export class NamesWatch {
  readonly #bounds: NamesBounds;
  readonly #deadSince = new Map<string, number>();
  readonly #missingSince = new Map<string, number>();
  #named = new Set<string>();

  constructor(bounds: NamesBounds) {
    this.#bounds = bounds;
  }

  /** DNS begins anew: what it had named before it need not name at once. */
  restarted(): void {
    this.#named = new Set();
    this.#missingSince.clear();
  }

  sample(moment: NamesMoment): Violation[] {
    const { answers } = moment;
    if (answers === undefined) return [];
    const violations = [...this.#dead(moment, answers), ...this.#missing(moment, answers)];
    for (const answer of answers) if (moment.alive.has(answer)) this.#named.add(answer);
    for (const answer of this.#named) if (!moment.alive.has(answer)) this.#named.delete(answer);
    return violations;
  }

  #dead({ nowMs, alive, hinderedAtMs }: NamesMoment, answers: ReadonlySet<string>): Violation[] {
    for (const answer of this.#deadSince.keys())
      if (!answers.has(answer) || alive.has(answer)) this.#deadSince.delete(answer);
    const violations: Violation[] = [];
    for (const answer of answers) {
      if (alive.has(answer)) continue;
      const sinceMs = this.#deadSince.get(answer) ?? nowMs;
      this.#deadSince.set(answer, sinceMs);
      const forMs = nowMs - Math.max(sinceMs, hinderedAtMs(answer));
      if (forMs > this.#bounds.deadMs)
        violations.push(violation("dns-dead", answer, `dead for ${Math.round(forMs)} ms`));
    }
    return violations;
  }

  #missing({ nowMs, alive, hinderedAtMs, cutOffAtMs }: NamesMoment, answers: ReadonlySet<string>): Violation[] {
    const violations: Violation[] = [];
    for (const answer of this.#missingSince.keys()) if (!alive.has(answer)) this.#missingSince.delete(answer);
    for (const answer of alive) {
      if (answers.has(answer)) {
        this.#missingSince.delete(answer);
        continue;
      }
      const sinceMs = this.#missingSince.get(answer) ?? nowMs;
      this.#missingSince.set(answer, sinceMs);
      const forMs = nowMs - Math.max(sinceMs, hinderedAtMs(answer));
      const lostForMs = nowMs - Math.max(sinceMs, cutOffAtMs(answer));
      if (this.#named.has(answer) && lostForMs > this.#bounds.lostMs)
        violations.push(
          violation("dns-lost", answer, `was named, lives, and is missing for ${Math.round(lostForMs)} ms`),
        );
      else if (forMs > this.#bounds.missingMs)
        violations.push(violation("dns-missing", answer, `healthy and unnamed for ${Math.round(forMs)} ms`));
    }
    return violations;
  }
}
