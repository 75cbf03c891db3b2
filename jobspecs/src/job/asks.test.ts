import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { groupNeed, taskDescription } from "./asks.ts";

function driversOf(driver: string, image: string) {
  const text = `job "j" {\n task "t" {\n driver = "${driver}"\n config {\n image = "${image}"\n }\n }\n}\n`;
  const { job } = compileJob({ file: "j.hcl", text });
  if (!job?.groups[0]) throw new Error("no job");
  return groupNeed(job, job.groups[0]).drivers;
}

test("driver docker goes to agents with an Engine or with oci, and with an image of the agent's disk to oci alone", () => {
  expect(driversOf("docker", "alpine:3.19")).toEqual([["docker", "oci"]]);
  expect(driversOf("docker", "oci:/images:base")).toEqual(["oci"]);
  expect(driversOf("oci", "alpine:3.19")).toEqual(["oci"]);
});

test("a task is told its namespace, which is the job's role, but where its own environment says otherwise", () => {
  const named = (env: string) => {
    const text = `job "j" {\n namespace = "team"\n task "t" {\n driver = "process"\n ${env}\n config {\n command = "x"\n }\n }\n}\n`;
    const { job } = compileJob({ file: "j.hcl", text });
    const [group] = job?.groups ?? [];
    const [task] = group?.tasks ?? [];
    if (!job || !group || !task) throw new Error("no job");
    return taskDescription(job, group, task, 0).environment;
  };
  expect(named("")).toEqual({ NOMAD_NAMESPACE: "team", MUSTER_NAMESPACE: "team" });
  expect(named('env {\n NOMAD_NAMESPACE = "other"\n }')["NOMAD_NAMESPACE"]).toBe("other");
});
