import { emptyMessage } from "@muster/foundation";
import { DeploymentState, JobState, type JobStatus } from "@muster/proto";
import { Hits } from "@muster/testing";
import { expect, test } from "vitest";
import { compiled } from "../compiled.ts";
import { type Campaign, sharedCampaign } from "../shared-campaign.ts";
import { DeploymentWatch } from "./deployment-watch.ts";

/** Seeds that CI runs, some in each test. */
const seedCount = 24;
const seedsPerTest = 6;
const hits = new Hits();

for (let first = 1; first <= seedCount; first += seedsPerTest)
  test(`seeds ${first} to ${first + seedsPerTest - 1}: whatever fails, no deployment goes below its minimum or above its maximum, and none is stuck without a reason`, async () => {
    const { runDeployments, describe } = await sharedCampaign();
    for (let seed = first; seed < first + seedsPerTest; seed++) {
      const report = runDeployments(seed);
      hits.merge(report.hits);
      expect(report.violations.length, `\n${describe(report)}`).toBe(0);
      expect(report.startCount).toBeGreaterThan(20);
    }
  });

test("what makes deployments fail has befallen them", () => {
  const components = ["services", "master", "agent"];
  const expected = ["crash", "pause", "partition"].flatMap((fault) =>
    components.map((component): [string, string] => [fault, component]),
  );
  expect(hits.missing([...expected, ["task-killed", "agent"], ["reboot", "agent"]])).toEqual([]);
});

/** Mistakes that somebody could make, and the rule that finds each. */
const planted = [
  {
    rule: "below-minimum",
    search: "this.#stopFirst(outdated, brokenCount + Math.max(0, settledCount + oldCount - healthyMin));",
    replace: "this.#stopFirst(outdated, outdated.length + brokenCount + settledCount + oldCount + healthyMin);",
  },
  {
    rule: "above-maximum",
    search: "if (!isBroken && total >= most) continue;",
    replace: "if (total < 0) total = most;",
  },
];

test.each(planted)("$rule is found where the planner does not keep to it", async ({ rule, search, replace }) => {
  const patches = [{ file: "frameworks/services/src/core/group-planner.ts", search, replace }];
  const patched = await compiled<Campaign>("test/simulation/campaign.ts", patches);
  const found = Array.from({ length: 6 }, (_, seed) => seed + 1).some((seed) =>
    patched.runDeployments(seed).violations.some((one) => one.rule === rule),
  );
  expect(found).toBe(true);
});

test("a deployment that comes no further for a minute and gives no reason is found, one that gives a reason is not", () => {
  const status = (message: string): JobStatus => ({
    ...emptyMessage("JobStatus"),
    summary: { ...emptyMessage("JobSummary"), name: "web", state: JobState.JOB_STATE_PENDING },
    deployment: { ...emptyMessage("Deployment"), job: "web", state: DeploymentState.DEPLOYMENT_STATE_RUNNING },
    message,
  });
  for (const message of ["", "its deployment is paused"]) {
    const watch = new DeploymentWatch();
    expect(watch.told(status(message), 0)).toEqual([]);
    expect(watch.told(status(message), 59_000)).toEqual([]);
    expect(watch.told(status(message), 61_000).map(({ rule }) => rule)).toEqual(
      message === "" ? ["deployment-mute"] : [],
    );
  }
});
