import { expect, test } from "vitest";
import type { MusterError } from "../errors/muster-error.ts";
import { batchBytesMax, batchShape, Outbox } from "./outbox.ts";

interface Message {
  header: number;
  first: string[];
  second: string[];
  single: string | null;
}

const shape = batchShape<Message>(["first", "second", "single"], () => ({
  header: 0,
  first: [],
  second: [],
  single: null,
}));

function aPeer(ready = true) {
  const peer = { ready, sent: [] as Message[], ended: undefined as MusterError | "ended" | undefined };
  const outlet = {
    send: (message: Message) => void peer.sent.push(message),
    ready: () => peer.ready,
    end: (error?: MusterError) => {
      peer.ended = error ?? "ended";
    },
  };
  return { peer, outlet };
}

test("what one tick adds in the order of fields is one message", () => {
  const { peer, outlet } = aPeer();
  const outbox = new Outbox(outlet, shape);
  outbox.add("first", "a");
  outbox.add("first", "b");
  outbox.add("second", "c");
  outbox.flush();
  expect(peer.sent).toEqual([{ header: 0, first: ["a", "b"], second: ["c"], single: null }]);
});

test("the order of what was added is the order in which it is acted on", () => {
  const { peer, outlet } = aPeer();
  const outbox = new Outbox(outlet, shape);
  outbox.add("second", "x");
  outbox.add("first", "y");
  outbox.add("single", "1");
  outbox.add("single", "2");
  outbox.flush();
  const order = peer.sent.flatMap((message) => [...message.first, ...message.second, message.single ?? []].flat());
  expect(order).toEqual(["x", "y", "1", "2"]);
});

test("a message is cut at its size", () => {
  const { peer, outlet } = aPeer();
  const outbox = new Outbox(outlet, shape);
  for (let i = 0; i < 3; i++) outbox.add("first", `${i}`, batchBytesMax / 2);
  outbox.flush();
  expect(peer.sent.map((message) => message.first)).toEqual([["0", "1"], ["2"]]);
});

test("nothing is sent to a peer that is behind until it has drained", () => {
  const { peer, outlet } = aPeer(false);
  const outbox = new Outbox(outlet, shape);
  outbox.add("first", "a");
  outbox.flush();
  outbox.add("first", "b");
  expect(peer.sent).toEqual([]);
  peer.ready = true;
  outbox.drained();
  expect(peer.sent.flatMap((message) => message.first)).toEqual(["a", "b"]);
  expect(outbox.isEmpty).toBe(true);
});

test("a peer that does not read is cut off at the limit, with a reason", () => {
  const { peer, outlet } = aPeer(false);
  const outbox = new Outbox(outlet, shape, { queuedBytesMax: 1_000 });
  for (let i = 0; i < 20; i++) outbox.add("first", "a", 100);
  expect(peer.ended).toMatchObject({ kind: "slow-reader" });
  expect(outbox.queuedBytes).toBe(0);
});

test("headers are stamped in the order of sending", () => {
  const { peer, outlet } = aPeer();
  let count = 0;
  const outbox = new Outbox(outlet, shape, undefined, (message) => {
    message.header = ++count;
  });
  outbox.add("second", "x");
  outbox.add("first", "y");
  outbox.end();
  expect(peer.sent.map((message) => message.header)).toEqual([1, 2]);
  expect(peer.ended).toBe("ended");
});
