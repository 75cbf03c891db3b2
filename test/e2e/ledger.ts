import { until } from "./dev-cluster.ts";
import { type MastersFleet, patienceMs } from "./masters-fleet.ts";

/** Between two entries. */
const paceMs = 200;
const framework = "ledger";

/** Writes entry after entry to whoever leads, and knows which of them were acknowledged. */
export class Ledger {
  readonly #fleet: MastersFleet;
  readonly #acknowledged: string[] = [];
  #count = 0;
  #isOver = false;
  readonly #work: Promise<void>;

  constructor(fleet: MastersFleet) {
    this.#fleet = fleet;
    this.#work = this.#run();
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  /** Waits until more was acknowledged: somebody leads and is reached. */
  async goesOn(): Promise<void> {
    const before = this.acknowledgedCount;
    await until("writes are acknowledged", patienceMs, () => this.acknowledgedCount > before + 1);
  }

  /** What was acknowledged and is not there. */
  async lost(): Promise<string[]> {
    this.#isOver = true;
    await this.#work;
    const lost: string[] = [];
    for (const key of this.#acknowledged) {
      const isThere = await this.#any((address, done) => {
        const { transport } = this.#fleet;
        transport.call("State.Get", address, { framework, key }, 5_000, ({ ok }) => done(ok));
      });
      if (!isThere) lost.push(key);
    }
    return lost;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const key = `entry-${++this.#count}`;
      const changes = [{ key, put: Buffer.from(key) }];
      const isDone = await this.#any((address, done) =>
        this.#fleet.transport.call("State.Transact", address, { framework, changes }, 2_000, (result) =>
          done(result.ok),
        ),
      );
      if (isDone) this.#acknowledged.push(key);
      await new Promise((resolve) => setTimeout(resolve, paceMs));
    }
  }

  /** Whether one of the masters says yes; those are asked where they listen, as somebody beside them would. */
  async #any(ask: (address: string, done: (isDone: boolean) => void) => void): Promise<boolean> {
    const answers = [...this.#fleet.listening.values()].map(
      (address) => new Promise<boolean>((resolve) => ask(address, resolve)),
    );
    return (await Promise.all(answers)).includes(true);
  }
}
