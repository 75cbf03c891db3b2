import { Batch } from "./batch.ts";
import { runToEnd } from "./run-tool.ts";

/** Groups whose lines one run of `ip` takes at most: a run holds the kernel's lock on links. */
const groupsMax = 64;

/** Lines for `ip` or `tc`, run for all groups that wait at once. A line that fails concerns its own group alone. */
export class IpBatch {
  readonly #batch: Batch<readonly string[]>;

  constructor(program: "ip" | "tc" = "ip") {
    this.#batch = new Batch((items) => runLines(program, items), groupsMax);
  }

  /** Runs them in order; throws with what the program said of the first that failed. The others are run all the same. */
  run(lines: readonly string[]): Promise<void> {
    return lines.length === 0 ? Promise.resolve() : this.#batch.add(lines);
  }
}

async function runLines(program: string, items: readonly (readonly string[])[]): Promise<(Error | undefined)[]> {
  const text = `${items.flat().join("\n")}\n`;
  const { code, errors, fault } = await runToEnd(program, ["-force", "-batch", "-"], text);
  if (fault !== undefined) return items.map(() => new Error(fault));
  const failures = failedLines(errors);
  if (code !== 0 && failures.size === 0)
    return items.map(() => new Error(`${program}: ${errors.trim() || `exit code ${code}`}`));
  let first = 1;
  return items.map((lines) => {
    const index = lines.findIndex((_line, at) => failures.has(first + at));
    const error = index < 0 ? undefined : new Error(`${program} ${lines[index]}: ${failures.get(first + index)}`);
    first += lines.length;
    return error;
  });
}

/** What `ip -force -batch` says: for each line that failed its reason, and then "Command failed -:LINE". */
export function failedLines(errors: string): Map<number, string> {
  const failures = new Map<number, string>();
  let reason: string[] = [];
  for (const line of errors.split("\n")) {
    const number = /^Command failed .*:(\d+)$/.exec(line)?.[1];
    if (number === undefined) {
      if (line !== "") reason.push(line);
      continue;
    }
    failures.set(Number(number), reason.join("; ") || "it failed");
    reason = [];
  }
  return failures;
}
