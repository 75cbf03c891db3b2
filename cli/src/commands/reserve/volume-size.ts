import { usageError } from "../../cli-error.ts";
import type { Options } from "../../command.ts";

/** --size in MiB: it must be given. */
export function sizeMiB(options: Options): number {
  const size = options.integer("size");
  if (size === undefined || size < 1) throw usageError("say how large the volume is to be", "for instance --size 1024");
  return size;
}
