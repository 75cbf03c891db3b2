import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { canonicalJson } from "./canonical.ts";
import { decodeJob } from "./decode-job.ts";

const text = readFileSync(new URL("../../examples/hello.hcl", import.meta.url), "utf8");
const { job } = compileJob({ file: "hello.hcl", text });
const json = job ? canonicalJson(job) : "";

/** The job's JSON with one field, given by its path, replaced (or removed by undefined). */
function changed(path: readonly (string | number)[], value: unknown): string {
  const root = JSON.parse(json);
  let at = root;
  for (const step of path.slice(0, -1)) at = at[step];
  at[path.at(-1) ?? ""] = value;
  return JSON.stringify(root);
}

test("equal jobs have equal bytes, whatever the order of their keys", () => {
  const shuffled = JSON.parse(json, (_, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).reverse())
      : value,
  );
  expect(JSON.stringify(shuffled)).not.toBe(json);
  expect(canonicalJson(decodeJob(JSON.stringify(shuffled)))).toBe(json);
});

test.each([
  [["schema"], 2, "schema"],
  [["id"], "a b", "id"],
  [["groups"], [], "groups"],
  [["groups", 0, "count"], 1.5, "groups[0].count"],
  [["groups", 0, "tasks", 0, "driver"], "magic", "groups[0].tasks[0].driver"],
  [["groups", 0, "tasks", 0, "config", "args"], [1], "groups[0].tasks[0].config.args[0]"],
  [["groups", 0, "tasks", 0, "resources", "cpuMillis"], undefined, "groups[0].tasks[0].resources.cpuMillis"],
  [["groups", 0, "services", 0, "portLabel"], "none", "groups[0].services[0].portLabel"],
  [["groups", 0, "services", 0, "checks", 0, "intervalMs"], 5, "groups[0].services[0].checks[0].intervalMs"],
  [["groups", 0, "services", 0, "checks", 0, "type"], "carrier pigeon", "groups[0].services[0].checks[0].type"],
  [["groups", 0, "services", 0, "checks", 0, "task"], "nobody", "groups[0].services[0].checks[0].task"],
  [["groups", 0, "restart", "factor"], 0, "groups[0].restart.factor"],
  [["extra"], 1, "extra"],
  [["schedule"], {}, "schedule"],
  [["parameterized"], { payload: "optional", metaRequired: [], metaOptional: [] }, "parameterized"],
  [["groups", 0, "tasks", 0, "dispatchPayload"], { file: "a/../b" }, "groups[0].tasks[0].dispatchPayload.file"],
  [["groups", 0, "tasks", 0, "dispatchPayload"], { file: "a" }, "parameterized"],
])("a wrong %j = %j is refused by the path of its field", (path, value, field) => {
  expect(() => decodeJob(changed(path, value))).toThrowError(expect.objectContaining({ kind: "invalid", field }));
});

test("what is no JSON is refused too", () => {
  expect(() => decodeJob("{")).toThrowError(expect.objectContaining({ kind: "invalid" }));
});
