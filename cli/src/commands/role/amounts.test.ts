import { expect, test } from "vitest";
import { parseAmounts } from "./amounts.ts";

test("amounts are cores, MiB, and whole numbers of all else; what is 0 is named", () => {
  expect(parseAmounts("--limit", "cpu=1.5, memory=2048,gpus=2,ports=0")).toEqual({
    resources: { cpuMillis: 1_500, memoryMiB: 2_048, diskMiB: 0, portCount: 0, custom: { gpus: 2 } },
    zeroes: ["ports"],
  });
});

test.each(["", "cpu", "cpu=-1", "cpu=1.2345", "memory=1.5", "cpu=1,cpu=2", "memory=2G"])("%j is no amount", (text) => {
  expect(() => parseAmounts("--limit", text)).toThrow(/^--limit: /);
});
