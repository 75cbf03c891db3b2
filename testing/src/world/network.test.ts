import {
  emptyMessage,
  type Handlers,
  type Inlet,
  type MusterError,
  type Outlet,
  type Result,
} from "@muster/foundation";
import { expect, test } from "vitest";
import type { Life } from "./life.ts";
import { Links } from "./links.ts";
import { Network } from "./network.ts";
import { pipeMessagesMax } from "./pipe.ts";
import { World } from "./world.ts";

/** What came in at one end: ping numbers, and how the stream ended. */
class Reader<M> implements Inlet<M> {
  readonly numbers: number[] = [];
  readonly ends: (MusterError | undefined)[] = [];
  drains = 0;
  readonly #numberOf: (message: M) => number;

  constructor(numberOf: (message: M) => number) {
    this.#numberOf = numberOf;
  }

  receive(message: M): void {
    this.numbers.push(this.#numberOf(message));
  }

  drained(): void {
    this.drains++;
  }

  closed(error: MusterError | undefined): void {
    this.ends.push(error);
  }
}

type Request = ReturnType<typeof pong>;
type Response = ReturnType<typeof ping>;
const pong = (pingNumber: number) => ({ ...emptyMessage("ConnectRequest"), pong: { pingNumber } });
const ping = (pingNumber: number) => ({ ...emptyMessage("ConnectResponse"), ping: { pingNumber } });

class Scene {
  readonly world: World;
  readonly links: Links;
  readonly network: Network;
  readonly master: Life;
  readonly agent: Life;
  readonly inbound = new Reader<Request>((message) => message.pong?.pingNumber ?? -1);
  readonly back = new Reader<Response>((message) => message.ping?.pingNumber ?? -1);
  toAgent: Outlet<Response> | undefined;
  toMaster: Outlet<Request> | undefined;

  constructor(seed = 1) {
    this.world = new World(seed);
    this.links = new Links(this.world);
    this.network = new Network(this.world, this.links);
    this.master = this.world.begin("master");
    this.agent = this.world.begin("agent-0");
  }

  serve(more: Handlers = {}): this {
    this.network.serve(this.master, "master:5050", {
      ...more,
      "Agents.Connect": (outlet) => {
        this.toAgent = outlet;
        return this.inbound;
      },
    });
    return this;
  }

  open(): this {
    this.toMaster = this.network.transportOf(this.agent).open("Agents.Connect", "master:5050", this.back);
    return this;
  }

  run(forMs: number): this {
    this.world.run({ untilMs: this.world.nowMs + forMs });
    return this;
  }
}

const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test("messages of a stream arrive in order through the codecs, also those sent before it was accepted", () => {
  const scene = new Scene().serve().open();
  scene.links.faults = { ...scene.links.faults, delayRate: 0.5, delayMsMax: 300 };
  for (const number of numbersTo(50)) scene.toMaster?.send(pong(number));
  scene.run(60_000);
  expect(scene.inbound.numbers).toEqual(numbersTo(50));
});

test("a sender that is ahead is told to wait, and when to go on", () => {
  const scene = new Scene().serve().open().run(100);
  for (const number of numbersTo(pipeMessagesMax)) scene.toMaster?.send(pong(number));
  expect(scene.toMaster?.ready()).toBe(false);
  scene.run(1_000);
  expect(scene.toMaster?.ready()).toBe(true);
  expect(scene.back.drains).toBe(1);
});

test("nobody listens: closed as unavailable, after the return of open", () => {
  const scene = new Scene().open();
  expect(scene.back.ends).toEqual([]);
  scene.run(100);
  expect(scene.back.ends[0]?.kind).toBe("unavailable");
});

test("a client that ends in good order gets the end of the other side", () => {
  const scene = new Scene().serve().open();
  scene.toMaster?.end();
  scene.run(100);
  expect(scene.inbound.ends).toEqual([undefined]);
  expect(scene.back.ends).toEqual([undefined]);
  expect(scene.network.connectionCount).toBe(0);
});

test("a killed peer is noticed at once, a powerless one after its keepalive", () => {
  for (const [death, earliestMs, latestMs] of [
    ["killed", 0, 10],
    ["power", 20_000, 30_010],
  ] as const) {
    const scene = new Scene().serve().open().run(100);
    const endedAtMs = scene.world.nowMs;
    scene.world.end(scene.master, death);
    while (scene.back.ends.length === 0) scene.run(1);
    expect(scene.world.nowMs - endedAtMs).toBeGreaterThanOrEqual(earliestMs);
    expect(scene.world.nowMs - endedAtMs).toBeLessThanOrEqual(latestMs);
  }
});

test("a short cut only delays; what was sent meanwhile arrives in order", () => {
  const scene = new Scene().serve().open().run(100);
  scene.links.cut("agent-0", "master");
  for (const number of numbersTo(5)) scene.toMaster?.send(pong(number));
  scene.run(10_000);
  expect(scene.inbound.numbers).toEqual([]);
  scene.links.heal("agent-0", "master");
  scene.run(100);
  expect(scene.inbound.numbers).toEqual(numbersTo(5));
  scene.run(60_000);
  expect(scene.back.ends).toEqual([]);
});

test("a one-way cut that lasts is found out by both ends", () => {
  const scene = new Scene().serve().open().run(100);
  scene.links.cut("master", "agent-0");
  scene.toMaster?.send(pong(1));
  scene.run(31_000);
  expect(scene.inbound.numbers).toEqual([1]);
  expect(scene.inbound.ends.map((error) => error?.kind)).toEqual(["unavailable"]);
  expect(scene.back.ends.map((error) => error?.kind)).toEqual(["unavailable"]);
});

test("a lost message is the end of its stream for both sides, and nothing after it arrives", () => {
  const scene = new Scene().serve().open().run(100);
  scene.toMaster?.send(pong(1));
  scene.links.faults = { ...scene.links.faults, lossRate: 1 };
  scene.toMaster?.send(pong(2));
  scene.links.faults = { ...scene.links.faults, lossRate: 0 };
  scene.toMaster?.send(pong(3));
  scene.run(10_000);
  expect(scene.inbound.numbers.filter((number) => number > 1)).toEqual([]);
  expect(scene.inbound.ends).toHaveLength(1);
  expect(scene.back.ends).toHaveLength(1);
});

test("a call may be lost, carried out twice, or answered; each is counted where it befell", () => {
  let served = 0;
  const faults: string[] = [];
  const scene = new Scene().serve({
    "State.Get": (request, _peer, respond) => {
      served++;
      respond({ ok: true, value: { entry: { key: request.key, value: Buffer.from("v"), version: 3 } } });
      return undefined;
    },
  });
  scene.links.onFault = (fault, host) => faults.push(`${fault} ${host}`);
  const results: Result<unknown>[] = [];
  const call = (): void => {
    const request = { framework: "f", key: "k" };
    scene.network.transportOf(scene.agent).call("State.Get", "master:5050", request, 2_000, (got) => results.push(got));
    scene.run(10_000);
  };
  call();
  scene.links.faults = { ...scene.links.faults, duplicateRate: 1 };
  call();
  scene.links.faults = { ...scene.links.faults, duplicateRate: 0, callLossRate: 1 };
  call();
  expect(served).toBe(3);
  expect(results.map((result) => result.ok)).toEqual([true, true, false]);
  expect(results[0]).toMatchObject({ ok: true, value: { entry: { key: "k", version: 3 } } });
  expect(faults).toEqual(["duplicate master", "call-loss master"]);
});

test("a call without an answer ends at its time limit", () => {
  const scene = new Scene().serve({ "State.Get": () => undefined });
  const results: Result<unknown>[] = [];
  const request = { framework: "f", key: "k" };
  scene.network.transportOf(scene.agent).call("State.Get", "master:5050", request, 2_000, (got) => results.push(got));
  scene.run(1_999);
  expect(results).toEqual([]);
  scene.run(2);
  expect(results).toMatchObject([{ ok: false, error: { kind: "too-late" } }]);
});

test("a follower gets every answer, and its leaving is told to the server", () => {
  const left = new Reader<never>(() => 0);
  const scene = new Scene().serve({
    "Watch.Events": (request, outlet) => {
      for (const number of numbersTo(3))
        outlet.send({ ...emptyMessage("EventsResponse"), sequence: number + request.sequence });
      return left;
    },
  });
  const seen = new Reader<{ sequence: number }>((message) => message.sequence);
  const request = { ...emptyMessage("EventsRequest"), sequence: 7 };
  const leave = scene.network.transportOf(scene.agent).follow("Watch.Events", "master:5050", request, seen);
  scene.run(100);
  expect(seen.numbers).toEqual([7, 8, 9]);
  leave();
  scene.run(100);
  expect(left.ends.map((error) => error?.kind)).toEqual(["cancelled"]);
  expect(seen.ends).toEqual([]);
});
