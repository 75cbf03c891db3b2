import { expect, test } from "vitest";
import { MusterError } from "../errors/muster-error.ts";
import { systemClock } from "../time/system-clock.ts";
import { storeConformance } from "./conformance.ts";
import { memoryStore, memoryStoreData } from "./memory.ts";

for (const { name, run } of storeConformance)
  test(`the memory store must ${name}`, async () => {
    const data = memoryStoreData();
    await run(async () => memoryStore(systemClock, data));
  });

test("one candidate leads at a time; the next one follows when it resigns", async () => {
  const data = memoryStoreData();
  const [first, second] = [memoryStore(systemClock, data), memoryStore(systemClock, data)];
  const epochs: number[] = [];
  const resign = await new Promise<() => void>((done) => {
    const cancel = first.campaign(
      "a",
      (epoch) => {
        epochs.push(epoch);
        done(cancel);
      },
      () => {},
    );
  });
  const followed = new Promise<void>((done) => {
    second.campaign(
      "b",
      (epoch) => {
        epochs.push(epoch);
        done();
      },
      () => {},
    );
  });
  await new Promise((wait) => setTimeout(wait, 10));
  expect(epochs).toEqual([1]);
  resign();
  await followed;
  expect(epochs).toEqual([1, 2]);
});

test("an injected fault fails an operation without doing it", async () => {
  const data = memoryStoreData();
  const failing = memoryStore(systemClock, data, () => ({ error: new MusterError("unavailable", "disk away") }));
  const result = await new Promise((done) =>
    failing.transact({ compares: [], puts: [{ key: "a", value: new Uint8Array() }], deletes: [] }, done),
  );
  expect(result).toMatchObject({ ok: false, error: { kind: "unavailable" } });
  expect(data.entries.size).toBe(0);
});
