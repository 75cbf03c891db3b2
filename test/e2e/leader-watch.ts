import { performance } from "node:perf_hooks";
import type { MastersFleet } from "./masters-fleet.ts";

/** Between two rounds of questions. */
const roundMs = 100;

interface Answer {
  readonly address: string;
  readonly epoch: number;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

/** Asks all masters again and again who leads, each where it listens, whatever is cut between it and others. */
export class LeaderWatch {
  readonly #fleet: MastersFleet;
  readonly #answers: Answer[] = [];
  #isOver = false;
  #rounds: Promise<void>;

  constructor(fleet: MastersFleet) {
    this.#fleet = fleet;
    this.#rounds = this.#run();
  }

  /** How many masters have led. */
  get reignCount(): number {
    return new Set(this.#answers.map(({ epoch }) => epoch)).size;
  }

  /** Masters that said they led when a later one had said so already. */
  get violations(): string[] {
    const found: string[] = [];
    const epochs = [...new Set(this.#answers.map(({ epoch }) => epoch))];
    for (const epoch of epochs) {
      const own = this.#answers.filter((answer) => answer.epoch === epoch);
      const who = new Set(own.map(({ address }) => address));
      if (who.size > 1) found.push(`epoch ${epoch} is of ${[...who].join(" and ")}`);
      const beganMs = Math.min(...own.map(({ answeredAtMs }) => answeredAtMs));
      const late = this.#answers.find((answer) => answer.epoch < epoch && answer.askedAtMs > beganMs);
      if (late) found.push(`${late.address} led in epoch ${late.epoch} after epoch ${epoch} had begun`);
    }
    return found;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#rounds;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await Promise.all([...this.#fleet.listening].map(([address, listen]) => this.#ask(address, listen)));
      await new Promise((resolve) => setTimeout(resolve, roundMs));
    }
  }

  async #ask(address: string, listen: string): Promise<void> {
    const askedAtMs = performance.now();
    const answer = await this.#fleet.ask(listen);
    if (answer) this.#answers.push({ address, epoch: answer.epoch, askedAtMs, answeredAtMs: performance.now() });
  }
}
