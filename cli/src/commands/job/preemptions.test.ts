import { expect, test } from "vitest";
import { preemptionLines } from "./preemptions.ts";

test("a plan says who would be ended where, and why nobody is for the rest", () => {
  const tasks = [
    { task: "etl.g.0", job: "etl", role: "lab" },
    { task: "raw-1", job: "", role: "lab" },
  ];
  expect(
    preemptionLines({ group: "web", instances: 3, rooms: [{ agent: "a-1", tasks }], reason: "its role has its limit" }),
  ).toEqual([
    "  on a-1 would end for group web: etl.g.0 of etl (role lab), raw-1 (role lab)",
    "  nobody would be ended for 2 of group web: its role has its limit",
  ]);
  expect(preemptionLines({ group: "web", instances: 1, rooms: [{ agent: "a-1", tasks: [] }], reason: "" })).toEqual([
    "  on a-1 would end for group web: nothing more, room is being made already",
  ]);
});
