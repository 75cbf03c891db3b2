import { type MasterView, type Violation, violation } from "@muster/master";

/** Equal roles may differ by more than an agent while tasks end and start. */
export const unfairForMsMax = 8_000;

/**
 * Watches roles of equal weight that want more than there is, all of them: what two of them have and are offered differs
 * by one agent at most, but for a moment.
 */
export class FairnessWatch {
  readonly #roles: readonly string[];
  readonly #agentCpuMillis: number;
  #sinceMs: number | undefined;
  #sampleCount = 0;

  constructor(roles: readonly string[], agentCpuMillis: number) {
    this.#roles = roles;
    this.#agentCpuMillis = agentCpuMillis;
  }

  /** How often it has looked. */
  get sampleCount(): number {
    return this.#sampleCount;
  }

  /** To be called again and again while their demand is endless and nothing hinders anybody. */
  sample(nowMs: number, { roles }: MasterView): Violation[] {
    this.#sampleCount++;
    const held = this.#roles.map((name) => {
      const record = roles.find(({ role }) => role === name);
      return (record?.allocated?.cpuMillis ?? 0) + (record?.offered?.cpuMillis ?? 0);
    });
    const difference = Math.max(...held) - Math.min(...held);
    if (difference <= this.#agentCpuMillis) {
      this.#sinceMs = undefined;
      return [];
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs <= unfairForMsMax) return [];
    const told = this.#roles.map((role, index) => `${role} ${held[index]}m`).join(", ");
    return [violation("unfair", this.#roles.join(" and "), `for ${nowMs - this.#sinceMs} ms: ${told}`)];
  }

  /** What comes next is not to be compared with what was. */
  interrupted(): void {
    this.#sinceMs = undefined;
  }
}
