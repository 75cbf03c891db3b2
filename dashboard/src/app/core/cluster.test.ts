import { emptyMessage } from "@muster/foundation";
import type { EventsResponse, WatchEvent } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { applyResponse, noPicture, type Picture, taskKey } from "./cluster.ts";

const event = (more: Partial<WatchEvent>): WatchEvent => ({ ...emptyMessage("WatchEvent"), ...more });
const task = (taskId: string, sequence = 0, name = taskId): WatchEvent =>
  event({ sequence, task: { ...emptyMessage("TaskRecord"), frameworkId: "f", taskId, name } });
const response = (more: Partial<EventsResponse>): EventsResponse => ({
  ...emptyMessage("EventsResponse"),
  epoch: 1,
  ...more,
});
const snapshot = (events: WatchEvent[], more: Partial<EventsResponse> = {}): EventsResponse =>
  response({ snapshot: true, snapshotComplete: true, events, ...more });
const shownTasks = (picture: Picture): string[] => [...(picture.shown?.tasks.keys() ?? [])].sort();

test("nothing of a snapshot is shown before it is whole", () => {
  const picture = noPicture();
  expect(applyResponse(picture, response({ snapshot: true, events: [task("a")] }))).toBe("same");
  expect(picture.shown).toBeUndefined();
  expect(applyResponse(picture, snapshot([task("b")], { sequence: 7, clusterId: "c" }))).toBe("changed");
  expect(shownTasks(picture)).toEqual(["f/a", "f/b"]);
  expect(picture.shown).toMatchObject({ epoch: 1, sequence: 7, clusterId: "c" });
});

test("a new snapshot forgets what it does not tell", () => {
  const picture = noPicture();
  applyResponse(picture, snapshot([task("a"), task("b")], { sequence: 5 }));
  applyResponse(picture, response({ epoch: 2, snapshot: true, events: [task("b")] }));
  expect(shownTasks(picture)).toEqual(["f/a", "f/b"]);
  applyResponse(picture, snapshot([task("c")], { epoch: 2, sequence: 1 }));
  expect(shownTasks(picture)).toEqual(["f/b", "f/c"]);
  expect(picture.shown).toMatchObject({ epoch: 2, sequence: 1 });
});

test("changes add, replace and remove records of every kind", () => {
  const picture = noPicture();
  const agent = { ...emptyMessage("AgentRecord"), agentId: "a1" };
  const framework = { ...emptyMessage("FrameworkRecord"), frameworkId: "f" };
  const offer = { ...emptyMessage("OfferRecord"), offerId: "o1" };
  applyResponse(picture, snapshot([event({ agent }), event({ framework }), event({ offer }), task("a")]));
  applyResponse(
    picture,
    response({
      sequence: 2,
      events: [task("a", 1, "renamed"), event({ sequence: 2, agentsAwaited: { agentIds: ["a9"] } })],
    }),
  );
  expect(picture.shown?.tasks.get(taskKey("f", "a"))?.name).toBe("renamed");
  expect(picture.shown?.awaited).toEqual(["a9"]);
  const events = [
    event({ sequence: 3, agentRemoved: "a1" }),
    event({ sequence: 4, frameworkRemoved: "f" }),
    event({ sequence: 5, offerEnded: { offerId: "o1", outcome: "accepted" } }),
    event({ sequence: 6, taskRemoved: { frameworkId: "f", taskId: "a" } }),
    event({ sequence: 7, agentsAwaited: { agentIds: [] } }),
  ];
  applyResponse(picture, response({ sequence: 7, events }));
  const { agents, frameworks, offers, tasks, awaited } = picture.shown ?? {};
  expect([agents?.size, frameworks?.size, offers?.size, tasks?.size, awaited]).toEqual([0, 0, 0, 0, []]);
});

test("changes of another epoch, or before any snapshot, ask for a snapshot and touch nothing", () => {
  const picture = noPicture();
  expect(applyResponse(picture, response({ sequence: 1, events: [task("a", 1)] }))).toBe("lost");
  applyResponse(picture, snapshot([task("a")], { sequence: 4 }));
  expect(applyResponse(picture, response({ epoch: 2, sequence: 5, events: [task("b", 5)] }))).toBe("lost");
  expect(shownTasks(picture)).toEqual(["f/a"]);
});

test("wherever a reader resumes, and whatever it is told twice, it ends with the same picture", () => {
  const change = fc.record({ id: fc.integer({ min: 0, max: 5 }), name: fc.string(), removed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.nat(30), fc.nat(30), (changes, cut, back) => {
      const events = changes.map(({ id, name, removed }, index) =>
        removed
          ? event({ sequence: index + 1, taskRemoved: { frameworkId: "f", taskId: `t${id}` } })
          : task(`t${id}`, index + 1, name),
      );
      const straight = noPicture();
      applyResponse(straight, snapshot([]));
      applyResponse(straight, response({ sequence: events.length, events }));
      const resumed = noPicture();
      applyResponse(resumed, snapshot([]));
      const at = Math.min(cut, events.length);
      applyResponse(resumed, response({ sequence: at, events: events.slice(0, at) }));
      applyResponse(resumed, response({ sequence: events.length, events: events.slice(Math.max(0, at - back)) }));
      expect([...(resumed.shown?.tasks ?? [])].sort()).toEqual([...(straight.shown?.tasks ?? [])].sort());
      expect(resumed.shown?.sequence).toBe(events.length);
    }),
  );
});
