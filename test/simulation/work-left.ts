import { type SimCluster, type Violation, violation } from "@muster/testing";
import { batchName, decodeItem } from "./batch-framework.ts";

/** Work of the batch framework that is not done, of so many items. */
export function workLeft(cluster: SimCluster, itemCount: number): Violation[] {
  const found: Violation[] = [];
  let doneCount = 0;
  for (const [key, { value }] of cluster.store.data.entries) {
    if (!key.startsWith(`state/${batchName}/items/`)) continue;
    const record = decodeItem(value);
    if (record.isDone) doneCount++;
    else found.push(violation("work-left", key, JSON.stringify(record)));
  }
  if (doneCount + found.length < itemCount)
    found.push(violation("work-left", batchName, `${itemCount - doneCount - found.length} items were never begun`));
  return found;
}
