import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "@muster/foundation";
import { storeConformance } from "@muster/foundation/store-conformance";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lmdbStore } from "./lmdb.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-lmdb-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

for (const { name, run } of storeConformance)
  test(`the lmdb store must ${name}`, () => run(async () => lmdbStore({ folder, clock: systemClock })));

test("a damaged file is told and left as it is", () => {
  const garbage = "this is no database ".repeat(1_000);
  writeFileSync(join(folder, "store.lmdb"), garbage);
  expect(() => lmdbStore({ folder, clock: systemClock })).toThrow(/can't open the store in .*left as it is/);
});

test("a store whose reading ended two processes in a row is not opened again before somebody has looked", () => {
  writeFileSync(join(folder, "opening"), "xx");
  expect(() => lmdbStore({ folder, clock: systemClock })).toThrow(/died while reading it/);
  expect(() => lmdbStore({ folder, clock: systemClock })).toThrow(/died while reading it/);
});

test("one process that was killed while opening the store does not keep the next from it", async () => {
  writeFileSync(join(folder, "opening"), "x");
  const store = lmdbStore({ folder, clock: systemClock });
  expect(existsSync(join(folder, "opening"))).toBe(false);
  await new Promise<void>((done) => store.close(done));
});

test("a copy of the folder that is used again counts reigns higher than all since it was made", async () => {
  let atMs = 1_700_000_000_000;
  const clock: Clock = { ...systemClock, epochMs: () => atMs };
  const reign = async (from: string): Promise<number> => {
    const store = lmdbStore({ folder: from, clock });
    const epoch = await new Promise<number>((done, failed) => store.campaign("a:1", done, failed));
    await new Promise<void>((done) => store.close(done));
    return epoch;
  };
  const first = await reign(folder);
  const copy = join(folder, "copy");
  cpSync(join(folder, "store.lmdb"), join(copy, "store.lmdb"));
  const since = [await reign(folder), await reign(folder)];
  expect(since).toEqual([first + 1, first + 2]);
  atMs += 60_000;
  expect(await reign(copy)).toBeGreaterThan(first + 2);
});

test("many transactions share commits", async () => {
  const store = lmdbStore({ folder, clock: systemClock });
  let committed = 0;
  await new Promise<void>((done) => {
    for (let i = 0; i < 500; i++)
      store.transact({ compares: [], puts: [{ key: `k/${i}`, value: Buffer.from("x") }], deletes: [] }, (result) => {
        if (result.ok && result.value.committed && ++committed === 500) done();
      });
  });
  expect(committed).toBe(500);
  await new Promise<void>((done) => store.close(done));
});
