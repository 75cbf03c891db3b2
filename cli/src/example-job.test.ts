import { compileJob } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { exampleAs } from "./example-job.ts";

test("the example under another name is a job of that name, and says under which names it is found", () => {
  const text = exampleAs("web");
  const { job, diagnostics } = compileJob({ file: "web.hcl", text });
  expect(diagnostics).toEqual([]);
  expect(job?.id).toBe("web");
  expect(text.split("\n")[0]).toContain("_http._web._tcp.services.muster");
});
