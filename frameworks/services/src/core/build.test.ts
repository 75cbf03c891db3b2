import { decodeJob } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { buildLaunch } from "./build.ts";
import { definitionOf, jobText } from "./core.test.support.ts";

const launch = (text: string) => {
  const job = decodeJob(definitionOf(text));
  const [group] = job.groups;
  if (!group) throw new Error("a job has a group");
  return buildLaunch(job, group, { index: 2, version: 7, instanceId: "1-9", launchId: "v7-1-9" });
};

test("a task tells DNS how many checks must pass before it is named", () => {
  const group = `network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type = "tcp"
        interval = "5s"
        timeout = "2s"
      }
    }`;
  expect(launch(jobText("web", { group })).tasks[0]?.labels["muster.checks"]).toBe("1");
  expect(launch(jobText("web")).tasks[0]?.labels["muster.checks"]).toBe("0");
});

test("a task is found again by its labels: job, group, instance and version", () => {
  expect(launch(jobText("web")).tasks[0]?.labels).toMatchObject({ job: "web", group: "g", index: "2", version: "7" });
});
