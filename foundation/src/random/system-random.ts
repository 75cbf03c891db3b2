import { randomBytes } from "node:crypto";
import type { Random } from "./random.ts";

/** Chance from the operating system, good enough for ids that must not be guessed. Every stream is as good as any. */
export const systemRandom: Random = {
  next: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  stream: () => systemRandom,
};
