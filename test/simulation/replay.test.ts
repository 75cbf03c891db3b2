import { expect, test } from "vitest";
import { sharedCampaign } from "./shared-campaign.ts";

test("case 34: one seed run twice does the same things at the same times", async () => {
  const { runSeed } = await sharedCampaign();
  const seed = Number(process.env["MUSTER_SEED"] ?? 7);
  const first = runSeed(seed);
  const second = runSeed(seed);
  expect(second.digest).toBe(first.digest);
  expect(second.eventCount).toBe(first.eventCount);
  expect(runSeed(seed + 1).digest).not.toBe(first.digest);
});
