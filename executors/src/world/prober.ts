import type { Cancel } from "@muster/foundation";

export type ProbeTarget =
  | { readonly type: "tcp"; readonly ip: string; readonly port: number }
  | {
      readonly type: "http";
      readonly ip: string;
      readonly port: number;
      readonly scheme: "http" | "https";
      readonly method: string;
      /** Path and query. */
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
    };

export interface ProbeResult {
  readonly passed: boolean;
  /** For people: what was answered, or why there was no answer. */
  readonly message: string;
}

/** Asks a task whether it is well. */
export interface Prober {
  /** One check; the answer comes after the return, at the latest after `timeoutMs`. After cancelling it does not come. */
  probe(target: ProbeTarget, timeoutMs: number, done: (result: ProbeResult) => void): Cancel;
}
