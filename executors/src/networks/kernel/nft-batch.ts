import { Batch } from "./batch.ts";
import { runTool } from "./run-tool.ts";

/** Groups whose changes go into one transaction at most. */
const groupsMax = 256;

/** Changes of nftables' rules: those of all groups that wait are one transaction. */
export class NftBatch {
  readonly #batch = new Batch<string>(applyAll, groupsMax);

  /** Applies it wholly or not at all. */
  apply(text: string): Promise<void> {
    return text === "" ? Promise.resolve() : this.#batch.add(text);
  }
}

/** A transaction fails as a whole: then each goes alone, so that one bad group does not stop the others. */
async function applyAll(items: readonly string[]): Promise<(Error | undefined)[]> {
  const all = await apply(items.join("\n"));
  if (all === undefined || items.length === 1) return items.map(() => all);
  const errors: (Error | undefined)[] = [];
  for (const item of items) errors.push(await apply(item));
  return errors;
}

function apply(text: string): Promise<Error | undefined> {
  return runTool("nft", ["-f", "-"], `${text}\n`).then(
    () => undefined,
    (error: Error) => error,
  );
}
