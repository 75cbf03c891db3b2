import { memoryStoreData, type Result, type StoreOutcome } from "@muster/foundation";
import { expect, test } from "vitest";
import { calmStore, type StoreGround, storeOf } from "./store.ts";
import { World } from "./world.ts";

function aGround(): StoreGround {
  return { data: memoryStoreData(), faults: { ...calmStore }, onFault: () => {} };
}

const put = (key: string) => ({ compares: [], puts: [{ key, value: Buffer.from("v") }], deletes: [] });

test("a lost answer leaves the write done, a refused operation leaves it undone", () => {
  const world = new World(1);
  const ground = aGround();
  const store = storeOf(world, world.begin("master"), ground, world.random("store"));
  const results: Result<StoreOutcome>[] = [];
  ground.faults = { ...calmStore, answerLostRate: 1 };
  store.transact(put("lost"), (result) => results.push(result));
  world.run({ untilMs: 100 });
  ground.faults = { ...calmStore, refuseRate: 1 };
  store.transact(put("refused"), (result) => results.push(result));
  world.run({ untilMs: 200 });
  expect(results.map((result) => !result.ok && result.error.kind)).toEqual(["unavailable", "unavailable"]);
  expect([...ground.data.entries.keys()]).toEqual(["lost"]);
});

test("the next life leads in a later reign, over what the last one has written", () => {
  const world = new World(1);
  const ground = aGround();
  const epochs: number[] = [];
  const life = world.begin("master");
  const first = storeOf(world, life, ground, world.random("store"));
  first.campaign(
    "m",
    (epoch) => epochs.push(epoch),
    () => {},
  );
  first.transact(put("k"), () => {});
  world.run({ untilMs: 100 });
  world.end(life, "killed");
  const second = storeOf(world, world.begin("master"), ground, world.random("store"));
  second.campaign(
    "m",
    (epoch) => epochs.push(epoch),
    () => {},
  );
  let version = 0;
  second.get("k", (result) => {
    version = result.ok ? (result.value?.version ?? 0) : -1;
  });
  world.run({ untilMs: 200 });
  expect(epochs).toEqual([1, 2]);
  expect(version).toBe(1);
});
