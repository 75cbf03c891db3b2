import { resources } from "@muster/foundation";
import { expect, test } from "vitest";
import { attr } from "./attr.ts";
import { fit, type Need, type Room } from "./fit.ts";
import { sumUpRejections } from "./obstacles.ts";

function aRoom(agentName: string, memoryMiB: number, more: Partial<Room> = {}): Room {
  return {
    agentId: `id-${agentName}`,
    agentName,
    attributes: new Map(),
    available: resources({ cpuMillis: 1_000, memoryMiB }),
    total: resources({ cpuMillis: 4_000, memoryMiB: 1_024 }),
    portsTaken: new Set(),
    dynamicPortFirst: 0,
    dynamicPortLast: 0,
    ...more,
  };
}

function aNeed(amounts: { cpuMillis?: number; memoryMiB?: number }, more: Partial<Need> = {}): Need {
  return { resources: resources(amounts), dynamicPortCount: 0, staticPorts: [], constraints: [], ...more };
}

function sumUp(need: Need, ...rooms: Room[]) {
  const rejections = rooms.flatMap((room) => {
    const answer = fit(need, room);
    return answer.fits ? [] : [{ agentId: room.agentId, agentName: room.agentName, reason: answer.reason }];
  });
  return sumUpRejections(need, rooms, rejections);
}

test("of an amount the nearest miss is told, with what would be enough", () => {
  expect(sumUp(aNeed({ memoryMiB: 512 }), aRoom("a-1", 100), aRoom("a-2", 600), aRoom("a-3", 256))).toEqual([
    {
      agentNames: ["a-1", "a-3"],
      reason: "needs 512 MiB of memory, the most that is free is 256 on a-3",
      remedy: "ask for at most 256, wait until 256 more are free on a-3, or add an agent",
    },
  ]);
});

test("what no agent has in all is told to be hopeless", () => {
  const [obstacle] = sumUp(aNeed({ cpuMillis: 8_000 }), aRoom("a-1", 100), aRoom("a-2", 100));
  expect(obstacle?.reason).toBe("needs 8000 milli-CPU of cpu, the most that is free is 1000 on a-1");
  expect(obstacle?.remedy).toContain("no agent will ever do, the largest has 4000 milli-CPU of cpu in all");
});

test("of processor that is lent it is told that others must use less, or more agents lend", () => {
  const lent = (cpuMillis: number) =>
    resources({ cpuMillis: 4_000, memoryMiB: 64, custom: { "revocable-cpu": cpuMillis } });
  const need = aNeed({}, { resources: resources({ custom: { "revocable-cpu": 500 } }) });
  const all = { total: resources({ cpuMillis: 4_000, memoryMiB: 64 }) };
  expect(sumUp(need, aRoom("a-1", 64, all), aRoom("a-2", 64, { ...all, available: lent(200) }))).toEqual([
    {
      agentNames: ["a-1", "a-2"],
      reason: "needs 500 revocable-cpu, the most that is free is 200 on a-2",
      remedy: "ask for at most 200, wait until tasks there use less, or let more agents lend (--lend-cpu)",
    },
  ]);
  expect(sumUp(need, aRoom("a-1", 64, all))[0]?.remedy).toBe(
    "wait until tasks there use less, or let more agents lend (--lend-cpu)",
  );
});

test("other reasons are summed up by their words, the most frequent first, each with its own remedy", () => {
  const need = aNeed({ memoryMiB: 10 }, { drivers: ["oci"], constraints: [attr("kernel.arch").is("arm64")] });
  const without = { drivers: ["process"] };
  const found = sumUp(
    need,
    aRoom("a-1", 1, without),
    aRoom("a-2", 99, without),
    aRoom("a-3", 99, without),
    aRoom("a-4", 99),
  );
  expect(found.map(({ agentNames }) => agentNames)).toEqual([["a-2", "a-3"], ["a-1"], ["a-4"]]);
  expect(found.map(({ remedy }) => remedy.split(",")[0])).toEqual([
    "agent status NAME says what it lacks",
    "ask for at most 1",
    "change the constraint",
  ]);
});
