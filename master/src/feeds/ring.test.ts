import { emptyMessage, type MusterError } from "@muster/foundation";
import type { EventsResponse } from "@muster/proto";
import { expect, test } from "vitest";
import type { MasterState } from "../core/model.ts";
import { ManualClock, World } from "../world.test.fixture.ts";
import { EventRing } from "./ring.ts";
import { coalesceFromEvents, Watchers } from "./watchers.ts";

const offerEnded = (offerId: string) => ({ offerEnded: { offerId, outcome: "declined" } });

test("the ring forgets the oldest, and numbers without a gap", () => {
  const ring = new EventRing(3);
  for (const id of ["a", "b", "c", "d"]) ring.append(offerEnded(id));
  expect([ring.first, ring.last]).toEqual([2, 4]);
  expect(ring.at(1)).toBeUndefined();
  expect([2, 3, 4].map((sequence) => ring.at(sequence)?.offerEnded?.offerId)).toEqual(["b", "c", "d"]);
  expect(ring.at(5)).toBeUndefined();
});

/** A reader on a ring of its own, whose readiness the test decides. */
function aReader(ring: EventRing, request: { epoch?: number; sequence?: number } = {}) {
  const clock = new ManualClock();
  const state = new World().master.state as MasterState;
  const reader = { ready: true, received: [] as EventsResponse[], ended: undefined as MusterError | undefined };
  const watchers = new Watchers(state, ring, clock, () => {});
  watchers.open(
    { ...emptyMessage("EventsRequest"), ...request },
    {
      send: (message) => void reader.received.push(message),
      ready: () => reader.ready,
      end: (error) => {
        reader.ended = error;
      },
    },
  );
  return { reader, watchers, clock, epoch: state.epoch };
}

test("a reader that is far behind gets the latest event of each subject, and may resume from there", () => {
  const ring = new EventRing();
  const { reader, watchers } = aReader(ring);
  watchers.flush(() => false);
  reader.ready = false;
  for (let i = 0; i <= coalesceFromEvents; i++) ring.append({ agentRemoved: `a-${i % 3}` });
  watchers.flush(() => false);
  reader.ready = true;
  reader.received.length = 0;
  while (watchers.flush(() => false));
  const events = reader.received.flatMap((message) => message.events);
  expect(events.map((event) => event.sequence)).toEqual([ring.last - 2, ring.last - 1, ring.last]);
  expect(reader.received.at(-1)?.sequence).toBe(ring.last);
});

test("a reader whose place the ring has forgotten is cut off", () => {
  const ring = new EventRing(10);
  const { reader, watchers } = aReader(ring);
  watchers.flush(() => false);
  reader.ready = false;
  for (let i = 0; i < 20; i++) ring.append(offerEnded(`o-${i}`));
  watchers.flush(() => false);
  expect(reader.ended).toMatchObject({ kind: "slow-reader" });
  expect(watchers.count).toBe(0);
});

test("a place that the ring has forgotten, or of another epoch, begins with a snapshot", () => {
  const ring = new EventRing(10);
  for (let i = 0; i < 20; i++) ring.append(offerEnded(`o-${i}`));
  const { epoch } = aReader(ring);
  for (const request of [
    { epoch, sequence: 5 },
    { epoch: epoch + 1, sequence: 15 },
    { epoch, sequence: 21 },
  ]) {
    const { reader, watchers } = aReader(ring, request);
    while (watchers.flush(() => false));
    expect(reader.received[0]).toMatchObject({ snapshot: true, sequence: 20 });
  }
  const { reader, watchers } = aReader(ring, { epoch, sequence: 15 });
  while (watchers.flush(() => false));
  expect(reader.received.flatMap((message) => message.events).map((event) => event.sequence)).toEqual([
    16, 17, 18, 19, 20,
  ]);
});

test("case 47: a client that drops at event 100 resumes with 101 and all after it in order; past the ring a snapshot marks the gap", () => {
  const ring = new EventRing(500);
  for (let i = 1; i <= 100; i++) ring.append(offerEnded(`o-${i}`));
  const { reader: first, watchers, epoch } = aReader(ring, { epoch: aReader(ring).epoch, sequence: 0 });
  while (watchers.flush(() => false));
  expect(first.received.at(-1)?.sequence).toBe(100);
  for (let i = 101; i <= 420; i++) ring.append(offerEnded(`o-${i}`));
  const resumed = aReader(ring, { epoch, sequence: 100 });
  while (resumed.watchers.flush(() => false));
  const events = resumed.reader.received.flatMap((message) => message.events);
  expect(resumed.reader.received.every(({ snapshot }) => !snapshot)).toBe(true);
  expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 320 }, (_, at) => 101 + at));
  for (let i = 421; i <= 700; i++) ring.append(offerEnded(`o-${i}`));
  const late = aReader(ring, { epoch, sequence: 100 });
  while (late.watchers.flush(() => false));
  expect(late.reader.received[0]).toMatchObject({ snapshot: true, sequence: 700 });
  expect(late.reader.received.at(-1)?.snapshotComplete).toBe(true);
});

test("when time runs out the readers that had no turn come first the next time", () => {
  const state = new World().master.state as MasterState;
  const ring = new EventRing();
  const watchers = new Watchers(state, ring, new ManualClock(), () => {});
  const got: string[] = [];
  for (const name of ["a", "b", "c"])
    watchers.open(emptyMessage("EventsRequest"), { send: () => got.push(name), ready: () => true, end: () => {} });
  while (watchers.flush(() => false));
  got.length = 0;
  for (let i = 0; i < 600; i++) ring.append(offerEnded(`o-${i}`));
  for (const turn of [1, 2, 3]) {
    expect(watchers.flush(() => true)).toBe(true);
    expect(got).toHaveLength(turn);
  }
  expect(got.sort()).toEqual(["a", "b", "c"]);
  while (watchers.flush(() => true));
  expect(got).toHaveLength(9);
});
