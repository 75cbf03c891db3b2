import { compileJob, type Job } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { budgetLines, budgetsJson } from "./budgets.ts";

function jobOf(type: string, block: string): Job {
  const task = 'task "t" {\ndriver = "exec"\nconfig {\ncommand = "true"\n}\n}';
  const text = `job "j" {\ntype = "${type}"\ngroup "g" {\n${block}\n${task}\n}\n}`;
  const { job, diagnostics } = compileJob({ file: "j.hcl", text });
  if (!job) throw new Error(JSON.stringify(diagnostics));
  return job;
}

const migrate = (count: number): string => `migrate {\nmax_parallel = ${count}\n}`;

test("a plan says how many may be preempted at once, of every kind of job, in words where the file does", () => {
  const batch = jobOf("batch", migrate(2));
  expect(budgetsJson(batch)).toEqual([{ group: "g", preemptedMax: 2 }]);
  expect(budgetLines(batch)).toEqual(["  group g: at most 2 preempted for others at once"]);
  expect(budgetLines(jobOf("service", migrate(0)))).toEqual(["  group g: none is preempted for others"]);
  const silent = jobOf("batch", "");
  expect([budgetsJson(silent), budgetLines(silent)]).toEqual([[{ group: "g", preemptedMax: null }], []]);
  expect(budgetsJson(jobOf("service", ""))).toEqual([{ group: "g", preemptedMax: 1 }]);
});
