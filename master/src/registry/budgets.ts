import { amount, decode, encode, registryKeys, text } from "./records.ts";

/**
 * How many groups of a budget are missing for having been preempted. Nobody else could tell a new leader: the agents
 * forget who has ended, and their framework has been told of each but by whom it was ended alone.
 */
export interface StoredBudget {
  readonly id: string;
  readonly frameworkId: string;
  readonly name: string;
  readonly max: number;
  readonly missingCount: number;
}

export function budgetKey(id: string): string {
  return `${registryKeys.budgets}${id}`;
}

export function encodeBudget(stored: StoredBudget): Uint8Array {
  return encode(stored);
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeBudget(key: string, value: Uint8Array): StoredBudget {
  const record = decode(key, value);
  return {
    id: text(key, record, "id"),
    frameworkId: text(key, record, "frameworkId"),
    name: text(key, record, "name"),
    max: amount(key, record, "max"),
    missingCount: amount(key, record, "missingCount"),
  };
}
