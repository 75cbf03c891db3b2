import { expect, test } from "vitest";
import { MusterError } from "../errors/muster-error.ts";
import { systemClock } from "../time/system-clock.ts";
import { electionConformance, storeConformance } from "./conformance.ts";
import { memoryStore, memoryStoreData } from "./memory.ts";

for (const { name, run } of [...storeConformance, ...electionConformance])
  test(`the memory store must ${name}`, async () => {
    const data = memoryStoreData();
    await run(async () => memoryStore(systemClock, data));
  });

test("a leader that was stopped meanwhile writes nothing, and learns of it", async () => {
  const data = memoryStoreData();
  const [first, second] = [memoryStore(systemClock, data), memoryStore(systemClock, data)];
  const lost = new Promise<MusterError>((done) => first.campaign("first", () => {}, done));
  const elected = new Promise<number>((done) => second.campaign("second", done, () => {}));
  first.forget();
  await elected;
  const write = { compares: [], puts: [{ key: "a", value: new Uint8Array() }], deletes: [] };
  const refused = await new Promise((done) => first.transact(write, done));
  expect(refused).toMatchObject({ ok: false, error: { kind: "not-leader" } });
  expect(await lost).toMatchObject({ kind: "not-leader" });
  expect(data.entries.size).toBe(0);
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
