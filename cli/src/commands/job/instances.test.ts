import { emptyMessage } from "@muster/foundation";
import type { JobStatus } from "@muster/proto";
import { expect, test } from "vitest";
import { groupsOfSeveral, instanceName } from "./describe.ts";
import { chooseInstances } from "./instances.ts";

function aJob(...tasks: readonly [group: string, task: string][]): JobStatus {
  const instances = tasks.map(([group, task], index) => ({
    ...emptyMessage("JobInstance"),
    instance: `shop.${group}.0`,
    taskId: `shop.${group}.0.1-${index}`,
    group,
    task,
  }));
  return { ...emptyMessage("JobStatus"), summary: { ...emptyMessage("JobSummary"), name: "shop" }, instances };
}

test("an instance is named with its task where its group has several, and only there", () => {
  const job = aJob(["web", "init"], ["web", "server"], ["db", "server"]);
  const names = job.instances.map((instance) => instanceName(instance, groupsOfSeveral(job)));
  expect(names).toEqual(["shop.web.0/init", "shop.web.0/server", "shop.db.0"]);
});

test("an instance is chosen by its name, with all its tasks, or by one of them", () => {
  const job = aJob(["web", "init"], ["web", "server"], ["db", "server"]);
  const chosen = (wanted: string) => chooseInstances(job, wanted).map(({ taskId }) => taskId);
  expect(chosen("shop.web.0")).toEqual(["shop.web.0.1-0", "shop.web.0.1-1"]);
  expect(chosen("shop.web.0/server")).toEqual(["shop.web.0.1-1"]);
  expect(() => chosen("shop.web.0/none")).toThrow("it has shop.web.0/init, shop.web.0/server, shop.db.0");
});
