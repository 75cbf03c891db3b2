import { expect, test } from "vitest";
import { failedLines } from "./ip-batch.ts";

test("each line that failed has the reason that stands before it", () => {
  const text = `RTNETLINK answers: File exists
Command failed -:2
Cannot find device "bogus"
Command failed -:14
`;
  expect([...failedLines(text)]).toEqual([
    [2, "RTNETLINK answers: File exists"],
    [14, 'Cannot find device "bogus"'],
  ]);
  expect(failedLines("").size).toBe(0);
});
