import type { DiskFailure, DiskFile } from "@muster/executors";
import { expect, test } from "vitest";
import { HostDisk } from "./disk.ts";
import { World } from "./world.ts";

const put = (path: string, text: string) => ({ type: "put" as const, path, bytes: Buffer.from(text) });

test("what was committed outlives the agent and comes back sorted, as it was given", () => {
  const world = new World(1);
  const disk = new HostDisk(world, "agent-0");
  const first = disk.openFor(world.begin("agent-0"));
  const write = put("b", "one");
  let failure: DiskFailure | undefined | "pending" = "pending";
  first.commit([write, put("a", "two")], (result) => {
    failure = result;
  });
  write.bytes.fill(0);
  expect(failure).toBe("pending");
  world.run({ untilMs: 100 });
  expect(failure).toBeUndefined();
  let found: readonly DiskFile[] = [];
  disk.openFor(world.begin("agent-0")).readAll((files) => {
    found = files;
  });
  world.run({ untilMs: 200 });
  expect(found.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()])).toEqual([
    ["a", "two"],
    ["b", "one"],
  ]);
});

test("a crash during a commit leaves some first part of it, each file whole", () => {
  const counts = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const world = new World(seed);
    const disk = new HostDisk(world, "agent-0");
    const life = world.begin("agent-0");
    disk.openFor(life).commit([put("1", "x"), put("2", "y"), put("3", "z")], () => expect.unreachable());
    world.end(life, "killed");
    world.run({ untilMs: 100 });
    expect([...disk.files.keys()]).toEqual(["1", "2", "3"].slice(0, disk.files.size));
    counts.add(disk.files.size);
  }
  expect([...counts].sort()).toEqual([0, 1, 2, 3]);
});

test("a full disk takes deletes and refuses the rest", () => {
  const world = new World(1);
  const disk = new HostDisk(world, "agent-0");
  const opened = disk.openFor(world.begin("agent-0"));
  const failures: unknown[] = [];
  disk.faults = { ...disk.faults, isFull: true };
  opened.commit([put("1", "x")], (failure) => {
    failures.push(failure?.kind);
    opened.commit([{ type: "delete", path: "1" }], (next) => failures.push(next?.kind));
  });
  world.run({ untilMs: 100 });
  expect(failures).toEqual(["full", undefined]);
});
