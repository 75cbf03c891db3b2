// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import { renderDiagnostics } from "../diagnostics/render.ts";
import { interpolate } from "../job/interpolate.ts";
import { type Compiled, compileJob } from "./compile.ts";

/** What job files written for Nomad do, and a short one of ours would not. */
function compiled({ type = "service", top = "", job = "", group = "", value = "" }): Compiled {
  const text = `${top}
job "j" {
  type = "${type}"
  ${job}
  group "g" {
    ${group}
    task "t" {
      driver = "raw_exec"
      config {
        command = "true"
        args    = [${top === "" ? "" : "var.given"}]
      }
    }
  }
}
`;
  const variables = top === "" ? [] : [{ name: "given", value }];
  return compileJob({ file: "j.hcl", text, variables });
}

const remarks = (parts: Parameters<typeof compiled>[0]): string[] =>
  compiled(parts).diagnostics.map(({ severity, code }) => `${severity} ${code}`);

test("a variable's value may refer to what only the agent knows, and nothing else in it is taken for that", () => {
  const argument = (value: string, type: string): string => {
    const { job, diagnostics } = compiled({ top: `variable "given" {\n  type = ${type}\n}`, value });
    if (!job) throw new Error(renderDiagnostics(diagnostics));
    const [text = ""] = job.groups[0]?.tasks[0]?.config.args ?? [];
    return interpolate(text, (reference) => (reference === "missing.one" ? undefined : `<${reference}>`));
  };
  for (const type of ["string", "any"]) {
    expect(argument("a ${meta.rack}-${ NOMAD_ALLOC_INDEX }", type)).toBe("a <meta.rack>-<NOMAD_ALLOC_INDEX>");
    expect(argument("$${meta.rack} ${HOME} $x {y}", type)).toBe("$${meta.rack} ${HOME} $x {y}");
    expect(argument("${meta.rack", type)).toBe("${meta.rack");
  }
});

test("a service on a number that is no port of its group is found by its address, with a warning", () => {
  const service = 'service {\n port = "9001"\n}';
  expect(remarks({ group: service })).toEqual(["warning job/service-port"]);
  expect(remarks({ group: `network {\n port "x" {\n static = 9001\n}\n}\n${service}` })).toEqual([]);
});

test("a batch job may say how long it is waited for on an agent that is cut off", () => {
  expect(compiled({ type: "batch", group: 'max_client_disconnect = "1h"' }).job?.groups[0]?.disconnect).toMatchObject({
    lostAfterMs: 3_600_000,
  });
});

test("canaries are so many, or of a system job per cent of its agents; a sysbatch job has none", () => {
  const update = "update {\n canary = 40\n}";
  const canaries = (type: string) => {
    const { canaryCount, canaryPercent } = compiled({ type, group: update }).job?.groups[0]?.update ?? {};
    return { canaryCount, canaryPercent };
  };
  expect(canaries("service")).toEqual({ canaryCount: 40, canaryPercent: undefined });
  expect(canaries("system")).toEqual({ canaryCount: 0, canaryPercent: 40 });
  expect(remarks({ type: "system", job: update })).toEqual([]);
  expect(remarks({ type: "system", job: update.replace("40", "101") })).toEqual(["error job/canary"]);
  expect(remarks({ type: "sysbatch", group: update })).toEqual(["error job/canary"]);
});

test("jobs that run on every agent have no affinity and no spread, wherever it is written", () => {
  const spread = 'spread {\n attribute = "${meta.rack}"\n}';
  const affinity = 'affinity {\n attribute = "${meta.rack}"\n value = "a"\n}';
  for (const type of ["system", "sysbatch"]) {
    expect(remarks({ type, job: spread, group: affinity })).toEqual([
      "error job/system-preference",
      "error job/system-preference",
    ]);
  }
  expect(remarks({ type: "batch", job: spread, group: affinity })).toEqual([]);
});
