import { MusterError, memoryStore, memoryStoreData, seededRandom, silentLog } from "@muster/foundation";
import { expect, test } from "vitest";
import { ManualClock, World } from "../world.test.fixture.ts";
import { loadRegistry } from "./load.ts";
import { RegistryWriter } from "./writer.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("a damaged entry stops the start with its key and what to do, and is not skipped", () => {
  const world = new World();
  world.agent("a-1");
  const entry = world.data.entries.get("agents/a-1");
  if (entry) world.data.entries.set("agents/a-1", { ...entry, value: bytes("{") });
  const next = world.restart();
  expect(next.failed).toMatchObject({ kind: "internal", field: "agents/a-1" });
  expect(next.failed?.message).toContain("restore the data folder");
  expect(next.framework("services").ended).toMatchObject({ kind: "unavailable" });
});

test("the cluster keeps its id over masters, and each reign has a higher epoch", () => {
  const world = new World();
  const first = world.framework("services").received[0];
  const second = world.restart().framework("services").received[0];
  expect(second?.subscribed?.clusterId).toBe(first?.subscribed?.clusterId);
  expect([first?.header?.epoch, second?.header?.epoch]).toEqual([1, 2]);
});

test("more entries than a page holds are all read", () => {
  const clock = new ManualClock();
  const data = memoryStoreData();
  const record = { name: "n", address: "x:1", ip: "", unreachableAt: 0 };
  for (let i = 0; i < 1_200; i++) {
    const key = `agents/a-${i}`;
    data.entries.set(key, { key, value: bytes(JSON.stringify({ agentId: `a-${i}`, ...record })), version: 1 });
  }
  let count = 0;
  loadRegistry(memoryStore(clock, data), seededRandom(1), (result) => {
    count = result.ok ? result.value.agents.length : -1;
  });
  clock.settle();
  expect(count).toBe(1_200);
});

test("what one tick writes is one transaction; what fails and nobody waits for is tried again, unless it is outdated", () => {
  const clock = new ManualClock();
  const data = memoryStoreData();
  let fault: MusterError | undefined = new MusterError("unavailable", "away");
  const store = memoryStore(clock, data, () => (fault ? { error: fault } : undefined));
  const writer = new RegistryWriter(store, clock, silentLog);
  const outcomes: (string | undefined)[] = [];
  writer.add("a", bytes("old"), undefined);
  writer.add("b", bytes("b"), undefined);
  writer.add("c", bytes("c"), (error) => outcomes.push(error?.kind));
  writer.flush();
  clock.settle();
  expect(outcomes).toEqual(["unavailable"]);
  fault = undefined;
  writer.add("a", bytes("new"), (error) => outcomes.push(error?.kind));
  writer.flush();
  clock.advance(1_000);
  expect(outcomes).toEqual(["unavailable", undefined]);
  const text = (key: string) => new TextDecoder().decode(data.entries.get(key)?.value);
  expect([text("a"), text("b"), data.entries.has("c")]).toEqual(["new", "b", false]);
});
