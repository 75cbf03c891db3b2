import { emptyMessage, MusterError } from "@muster/foundation";
import type { SubscribeResponse } from "@muster/proto";
import { expect, test } from "vitest";
import { Sessions } from "./sessions.ts";

const never = (): boolean => false;

function aFramework(sessions: Sessions) {
  const received: SubscribeResponse[] = [];
  const outlet = {
    send: (message: SubscribeResponse) => void received.push(message),
    ready: () => true,
    end: () => {},
  };
  const connection = sessions.openFramework(
    outlet,
    () => 1,
    () => {},
  );
  return {
    received,
    offer: (offerId: string) => sessions.add(connection, "offers", { ...emptyMessage("Offer"), offerId }, 100),
    update: () => sessions.add(connection, "updates", emptyMessage("TaskStatus"), 100),
  };
}

test("offers wait for others to come, but with anything else they go at once, and in order", () => {
  const sessions = new Sessions();
  const [patient, busy] = [aFramework(sessions), aFramework(sessions)];
  patient.offer("a");
  busy.offer("b");
  busy.update();
  expect(sessions.flush(true, never)).toBe(false);
  expect(patient.received).toEqual([]);
  expect(busy.received.map(({ offers, updates }) => [offers.length, updates.length])).toEqual([
    [1, 0],
    [0, 1],
  ]);
  patient.offer("c");
  expect(sessions.flush(false, never)).toBe(false);
  expect(patient.received.map(({ offers }) => offers.map(({ offerId }) => offerId))).toEqual([["a", "c"]]);
});

test("who leads no more ends its sessions without a word of what it had decided", () => {
  const sessions = new Sessions();
  const framework = aFramework(sessions);
  framework.update();
  sessions.dropAll(new MusterError("unavailable", "over"));
  expect(sessions.flush(false, never)).toBe(false);
  expect(framework.received).toEqual([]);
  expect(sessions.size).toBe(0);
});

test("when time runs out the rest goes out in the next tick", () => {
  const sessions = new Sessions();
  const frameworks = Array.from({ length: 20 }, () => aFramework(sessions));
  for (const { update } of frameworks) update();
  const count = (): number => frameworks.filter(({ received }) => received.length === 1).length;
  let ticks = 1;
  for (; sessions.flush(false, () => true); ticks++) expect(count()).toBeLessThan(20);
  expect(ticks).toBeGreaterThan(1);
  expect(count()).toBe(20);
});
