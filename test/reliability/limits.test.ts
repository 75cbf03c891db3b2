import { readFileSync } from "node:fs";
import { compileJob } from "@muster/jobspecs";
import { expect, test } from "vitest";

test("case 62: three hundred brackets are an error within 100 ms, and the next job is read as ever", () => {
  const good = {
    file: "good.hcl",
    text: readFileSync(new URL("../../jobspecs/examples/hello.hcl", import.meta.url), "utf8"),
  };
  const before = compileJob(good);
  expect(before.diagnostics).toEqual([]);
  for (const bracket of ["[", "{", "("]) {
    const text = `job "deep" {\n  meta {\n    a = ${bracket.repeat(300)}\n  }\n}\n`;
    const beganMs = performance.now();
    const { job, diagnostics } = compileJob({ file: "deep.hcl", text });
    expect(performance.now() - beganMs, bracket).toBeLessThan(100);
    expect(job).toBeUndefined();
    expect(diagnostics.map(({ code, line }) => [code, line])).toContainEqual(["syntax/too-deep", 3]);
    expect(compileJob(good)).toEqual(before);
  }
});
