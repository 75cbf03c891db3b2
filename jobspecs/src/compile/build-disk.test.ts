import { expect, test } from "vitest";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { compileJob } from "./compile.ts";

function compile(block: string, ...disks: string[]) {
  const tasks = disks.map(
    (disk, at) => `task "t${at}" {
      driver = "exec"
      config { command = "true" }
      resources { ${disk} }
    }`,
  );
  const text = `job "j" {\n group "g" {\n${block}\n${tasks.join("\n")}\n}\n}\n`;
  const { job, diagnostics } = compileJob({ file: "j.hcl", text: text.replaceAll(/\{ (.*) \}/g, "{\n$1\n}") });
  const sizes = job?.groups[0]?.tasks.map(({ resources }) => resources.diskMiB);
  return { sizes, remarks: diagnostics.map(({ severity, summary }) => `${severity}: ${summary}`) };
}

test("a group's disk is booked and bounded as that of its main task, with what others ask for in it", () => {
  expect(compile("ephemeral_disk { size = 500 }", "cpu = 10")).toEqual({ sizes: [500], remarks: [] });
  expect(compile("ephemeral_disk { }", "cpu = 10").sizes).toEqual([300]);
  expect(compile("", "cpu = 10").sizes).toEqual([0]);
  expect(compile("ephemeral_disk { size = 500 }", "disk = 50", "disk = 100")).toEqual({
    sizes: [400, 100],
    remarks: [],
  });
  expect(compile("ephemeral_disk { size = 50 }", "disk = 80", "disk = 100").sizes).toEqual([80, 100]);
});

test("what is not bounded, and what does not come along, is said", () => {
  expect(compile("ephemeral_disk { size = 500 }", "cpu = 10", "cpu = 10").remarks).toEqual([
    'warning: size bounds task "t0" and what the group shares, not the own files of "t1"',
  ]);
  const { remarks } = compile("ephemeral_disk {\nmigrate = true\n}", "cpu = 10");
  expect(remarks).toEqual(["warning: has no effect without sticky = true"]);
});

test("sticky is of groups that start one instance after another; runs of batch jobs begin anew", () => {
  const diskOf = (type: string, more = "") => {
    const text = `job "j" {\ntype = "${type}"\ngroup "g" {\nephemeral_disk {\nsticky = true\n${more}\n}\ntask "t" {\ndriver = "exec"\nconfig {\ncommand = "true"\n}\n}\n}\n}`;
    const { job, diagnostics } = compileJob({ file: "j.hcl", text });
    if (job) expect(decodeJob(canonicalJson(job))).toEqual(job);
    return [job?.groups[0]?.disk, diagnostics.map(({ summary }) => summary)];
  };
  expect(diskOf("service")).toEqual([{ isSticky: true }, []]);
  expect(diskOf("system")).toEqual([{ isSticky: true }, []]);
  expect(diskOf("service", "migrate = true")).toEqual([{ isSticky: true, isMigrating: true }, []]);
  expect(diskOf("batch")).toEqual([undefined, ["has no effect: each run of a batch job begins with empty folders"]]);
});
