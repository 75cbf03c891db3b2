import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { groupNeed } from "./asks.ts";

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
