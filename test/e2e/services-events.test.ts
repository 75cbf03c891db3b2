import { emptyMessage, type RequestOf } from "@muster/foundation";
import type { EventsResponse } from "@muster/proto";
import { masterAddress } from "@muster/testing";
import { expect, test } from "vitest";
import { Lab, service } from "../virtual/lab.ts";

/** Somebody who reads everything that happens, from where he says. */
function reader(lab: Lab, name: string, from: Partial<RequestOf<"Watch.Events">>) {
  const transport = lab.cluster.network.transportOf(lab.cluster.world.begin(name));
  const received: EventsResponse[] = [];
  let stop = (): void => {};
  lab.cluster.world.after(undefined, 0, "follow", () => {
    stop = transport.follow(
      "Watch.Events",
      masterAddress,
      { ...emptyMessage("EventsRequest"), ...from },
      { receive: (message) => void received.push(message), drained: () => {}, closed: () => {} },
    );
  });
  const events = () => received.flatMap((message) => (message.snapshot ? [] : message.events));
  return { received, events, sequences: () => events().map(({ sequence }) => sequence), stop: () => stop() };
}

test("case 47: who reads events and drops out goes on with the next one; what is not kept any more begins with a new picture, marked so", () => {
  const lab = new Lab({ agents: 2, frameworks: ["services"] }).start();
  const first = reader(lab, "reader", {});
  lab.submit(service("web", { count: 2 }));
  lab.until(() => first.events().length >= 10);
  const epoch = first.received[0]?.epoch ?? 0;
  const last = first.sequences().at(-1) ?? 0;
  first.stop();
  lab.call("Jobs.Scale", { name: "web", group: "g", count: 6 });
  lab.until(() => lab.alive().length === 6);
  lab.run(5_000);
  expect(first.sequences().at(-1)).toBe(last);

  const second = reader(lab, "reader-again", { epoch, sequence: last });
  lab.until(() => second.events().length >= 10);
  expect(second.received.some(({ snapshot }) => snapshot)).toBe(false);
  expect(second.sequences()).toEqual(second.sequences().map((_, index) => last + 1 + index));
  const told = new Set(second.events().flatMap(({ task }) => (task ? [task.taskId] : [])));
  for (const index of [2, 3, 4, 5]) expect([...told].join(" ")).toContain(`web.g.${index}.`);

  const { length } = second.sequences();
  lab.cluster.master.program.crash();
  lab.until(() => lab.tasks().length === 6);
  const third = reader(lab, "reader-late", { epoch, sequence: last + length });
  lab.until(() => third.received.length > 0);
  expect(third.received[0]).toMatchObject({ snapshot: true, epoch: epoch + 1 });
});
