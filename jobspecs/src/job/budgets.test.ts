import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { groupBudget } from "./budgets.ts";
import { canonicalJson } from "./canonical.ts";
import { decodeJob } from "./decode-job.ts";

function compile(type: string, block = "", more = "") {
  const schedule = type === "batch" || type === "sysbatch" ? more : "";
  const text = `job "j" {
  type = "${type}"
  ${schedule}
  group "g" {
    ${type === "sysbatch" || type === "system" ? "" : "count = 8"}
    ${block}
    task "t" {
      driver = "exec"
      config {
        command = "true"
      }
    }
  }
}`;
  const { job, diagnostics } = compileJob({ file: "j.hcl", text });
  if (job) expect(decodeJob(canonicalJson(job))).toEqual(job);
  return { job, remarks: diagnostics.map(({ severity, summary }) => `${severity}: ${summary}`) };
}

function budgetOf(type: string, block = "", id?: string) {
  const { job, remarks } = compile(type, block);
  const [group] = job?.groups ?? [];
  expect(remarks).toEqual([]);
  return job && group && groupBudget({ ...job, id: id ?? job.id }, group);
}

const migrate = (text: string): string => `migrate {\n${text}\n}`;

test("a migrate block is the budget of every kind of job that has one", () => {
  const three = { preemptionBudget: "j/g", preemptedMax: 3 };
  for (const type of ["service", "batch", "sysbatch"])
    expect(budgetOf(type, migrate("max_parallel = 3"))).toEqual(three);
  expect(budgetOf("batch", migrate("max_parallel = 0"))).toEqual({ preemptionBudget: "j/g", preemptedMax: 0 });
  expect(budgetOf("batch", migrate(""))).toEqual({ preemptionBudget: "j/g", preemptedMax: 1 });
});

test("without one it is what an update replaces at once, and runs have none", () => {
  expect(budgetOf("service", "update {\nmax_parallel = 2\n}")?.preemptedMax).toBe(2);
  expect(budgetOf("service", "update {\nmin_healthy_percent = 50\n}")?.preemptedMax).toBe(4);
  expect(budgetOf("service")?.preemptedMax).toBe(1);
  expect(budgetOf("system")?.preemptedMax).toBe(1);
  expect(budgetOf("batch")).toBeUndefined();
  expect(budgetOf("sysbatch")).toBeUndefined();
});

test("dispatches share the budget of their job; a name beyond what a master takes is cut", () => {
  const one = migrate("max_parallel = 1");
  expect(budgetOf("batch", one, "j/dispatch-1700000000-abcdefgh")?.preemptionBudget).toBe("j/g");
  expect(budgetOf("batch", one, "x".repeat(300))?.preemptionBudget).toHaveLength(255);
});

test("of runs nothing else can be said there, and of a system job nothing at all", () => {
  expect(compile("batch", migrate('max_parallel = 1\nhealth_check = "checks"')).remarks).toEqual([
    'error: runs of a batch job are not moved to another agent: "health_check" has no meaning',
  ]);
  expect(compile("sysbatch", migrate('min_healthy_time = "5s"\nhealthy_deadline = "1m"')).remarks).toEqual([
    'error: runs of a sysbatch job are not moved to another agent: "min_healthy_time" has no meaning',
    'error: runs of a sysbatch job are not moved to another agent: "healthy_deadline" has no meaning',
  ]);
  expect(compile("system", migrate("max_parallel = 1")).remarks).toEqual(["error: a system job has no migrate block"]);
});
