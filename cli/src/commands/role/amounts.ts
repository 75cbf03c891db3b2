import { noResources, type Resources } from "@muster/foundation";
import { usageError } from "../../cli-error.ts";

/** Amounts as they are typed, and the names of those that were given as 0. */
export interface Amounts {
  readonly resources: Resources;
  readonly zeroes: readonly string[];
}

const form = /^([A-Za-z][A-Za-z0-9._-]*)=(\d+(?:\.\d{1,3})?)$/;

/** Reads for instance "cpu=1.5,memory=2048,ports=10,gpus=2": cores, MiB, and whole numbers of all else. */
export function parseAmounts(option: string, text: string): Amounts {
  const scalars = { cpuMillis: 0, memoryMiB: 0, diskMiB: 0, portCount: 0 };
  const custom: Record<string, number> = {};
  const given = new Set<string>();
  const zeroes: string[] = [];
  for (const part of text.split(",")) {
    const [, name, digits] = form.exec(part.trim()) ?? [];
    if (name === undefined || digits === undefined)
      throw usageError(`${option}: "${part}" is no amount`, `for instance ${option} cpu=1.5,memory=2048,ports=10`);
    if (given.has(name)) throw usageError(`${option}: ${name} is given twice`);
    given.add(name);
    const amount = Number(digits);
    if (name !== "cpu" && !Number.isInteger(amount)) throw usageError(`${option}: ${name} must be a whole number`);
    if (amount === 0) zeroes.push(name);
    else if (name === "cpu") scalars.cpuMillis = Math.round(amount * 1_000);
    else if (name === "memory") scalars.memoryMiB = amount;
    else if (name === "disk") scalars.diskMiB = amount;
    else if (name === "ports") scalars.portCount = amount;
    else custom[name] = amount;
  }
  return { resources: { ...noResources, ...scalars, custom }, zeroes };
}
