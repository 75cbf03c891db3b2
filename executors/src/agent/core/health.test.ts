import { CheckAction, Health, StatusReason } from "@muster/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { aCheck, CheckedTasks, intervalMs } from "./checked-tasks.test.support.ts";
import { healthKillsFraction } from "./health-kills.ts";

const { HEALTH_HEALTHY: healthy, HEALTH_UNHEALTHY: unhealthy, HEALTH_UNSPECIFIED: unknown } = Health;

test("a check that kills ends its task at the last tolerated failure, not before", () => {
  const world = new CheckedTasks();
  world.launch("a");
  world.pass(intervalMs * 2);
  expect(world.state.named.get("f/a")?.[0]?.health).toBe(healthy);
  world.isWell = () => false;
  const before = world.probes.length;
  world.pass(intervalMs * 3);
  expect(world.killed).toHaveLength(1);
  expect(world.probes.filter(({ atMs }) => atMs <= (world.killed[0]?.atMs ?? 0)).length - before).toBe(2);
  expect(world.statuses.at(-1)?.reason).toBe(StatusReason.REASON_UNHEALTHY);
});

test("a check that reports leaves its task alone, however long it fails", () => {
  const world = new CheckedTasks();
  world.launch("a", "web", [aCheck({ action: CheckAction.CHECK_ACTION_REPORT })]);
  world.isWell = () => false;
  world.pass(intervalMs * 20);
  expect(world.killed).toEqual([]);
  expect(world.state.named.get("f/a")?.[0]?.health).toBe(unhealthy);
});

test("a check that kills is acted on also where one that reports made the task unhealthy before", () => {
  const world = new CheckedTasks();
  world.launch("a", "web", [aCheck({ action: CheckAction.CHECK_ACTION_REPORT }), aCheck()]);
  world.pass(intervalMs * 2);
  world.isWell = (_, index) => index !== 0;
  world.pass(intervalMs * 4);
  expect(world.state.named.get("f/a")?.[0]?.health).toBe(unhealthy);
  expect(world.killed).toEqual([]);
  world.isWell = () => false;
  world.pass(intervalMs * 4);
  expect(world.killed).toHaveLength(1);
});

test("when all of a group fail, a quarter is killed in each interval until none is left; others are untouched", () => {
  const world = new CheckedTasks();
  for (let i = 0; i < 8; i++) world.launch(`web-${i}`);
  world.launch("lone", "other");
  world.pass(intervalMs * 3);
  world.isWell = (taskId) => !taskId.startsWith("web");
  world.pass(intervalMs * 30);
  expect(new Set(world.killed.map(({ taskId }) => taskId)).size).toBe(8);
  // Within each interval; they are all dying still, so that the quarter is one of eight.
  for (const { atMs } of world.killed)
    expect(world.killed.filter((kill) => kill.atMs > atMs - intervalMs && kill.atMs <= atMs).length).toBeLessThan(3);
  world.isWell = () => false;
  world.pass(intervalMs * 3);
  expect(world.killed.at(-1)?.taskId).toBe("lone");
});

test("a task that recovers before its turn is not killed, and is healthy again", () => {
  const world = new CheckedTasks();
  for (let i = 0; i < 4; i++) world.launch(`web-${i}`);
  world.pass(intervalMs * 3);
  world.isWell = () => false;
  while (world.killed.length === 0) world.pass(100);
  world.pass(intervalMs / 2);
  world.isWell = () => true;
  world.pass(intervalMs * 5);
  expect(world.killed).toHaveLength(1);
  for (let i = 0; i < 4; i++)
    if (world.killed[0]?.taskId !== `web-${i}`) expect(world.state.named.get(`f/web-${i}`)?.[0]?.health).toBe(healthy);
});

test("a check that asks ends its task at its framework's word, and not before; what recovers before that word lives on", () => {
  const world = new CheckedTasks();
  const asking = aCheck({ action: CheckAction.CHECK_ACTION_ASK });
  world.launch("a", "web", [asking]);
  world.launch("b", "web", [asking]);
  world.pass(intervalMs * 2);
  world.isWell = () => false;
  world.pass(intervalMs * 3);
  expect(world.killed).toEqual([]);
  const asked = world.statuses.filter(({ reason }) => reason === StatusReason.REASON_KILL_ASKED);
  expect(new Set(asked.map(({ taskId }) => taskId))).toEqual(new Set(["a", "b"]));
  expect(asked.every(({ health, message }) => health === unhealthy && message !== "")).toBe(true);
  const kill = { type: "kill", frameworkId: "f", reason: StatusReason.REASON_UNHEALTHY } as const;
  world.input({ ...kill, taskId: "a", graceMs: undefined, message: undefined });
  expect(world.killed.map(({ taskId }) => taskId)).toEqual(["a"]);
  world.isWell = () => true;
  world.pass(intervalMs * 2);
  expect(world.statuses.findLast(({ taskId }) => taskId === "b")?.reason).toBe(StatusReason.REASON_HEALTH_CHANGED);
  world.input({ ...kill, taskId: "b", graceMs: undefined, message: undefined });
  world.pass(intervalMs * 2);
  expect(world.killed).toHaveLength(1);
});

test("a check that asks in vain is told again every half minute, and acted on after five minutes, a quarter at a time", () => {
  const world = new CheckedTasks();
  for (let i = 0; i < 4; i++) world.launch(`web-${i}`, "web", [aCheck({ action: CheckAction.CHECK_ACTION_ASK })]);
  world.pass(intervalMs * 2);
  world.isWell = () => false;
  const asked = () => world.statuses.filter(({ reason }) => reason === StatusReason.REASON_KILL_ASKED);
  while (asked().length === 0) world.pass(100);
  const askedAtMs = world.nowMs;
  const taskId = asked()[0]?.taskId;
  world.pass(299_000);
  expect(world.killed).toEqual([]);
  const again = asked().filter((status) => status.taskId === taskId).length;
  expect(again).toBeGreaterThanOrEqual(8);
  expect(again).toBeLessThanOrEqual(10);
  world.pass(intervalMs * 10);
  expect(world.killed[0]?.atMs).toBeGreaterThan(askedAtMs + 299_000);
  expect(new Set(world.killed.map((one) => one.taskId)).size).toBe(4);
  for (const { atMs } of world.killed)
    expect(world.killed.filter((kill) => kill.atMs > atMs - intervalMs && kill.atMs <= atMs).length).toBe(1);
});

const moves = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("launch" as const), job: fc.nat(2) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(15_000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("sick" as const), job: fc.nat(2), part: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("well" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("end" as const), index: fc.nat(60) }) },
  ),
  { maxLength: 80 },
);

test("never is more than a quarter of a group, or one task, killed for its checks within an interval, and all that stay sick are", () => {
  fc.assert(
    fc.property(moves, fc.string({ maxLength: 4 }), (list, seed) => {
      const world = new CheckedTasks(seed);
      const sick = new Map<number, number>();
      const jobOf = (taskId: string): number => Number(taskId.split("-")[0]);
      const isSick = (taskId: string): boolean => Number(taskId.split("-")[1]) % 4 < (sick.get(jobOf(taskId)) ?? 0);
      world.isWell = (taskId) => !isSick(taskId);
      const living = (job: number): number =>
        [...world.state.tasks.values()].filter((task) => task.phase !== "ended" && jobOf(task.info.taskId) === job)
          .length;
      let count = 0;
      let seen = 0;
      const check = (): void => {
        for (; seen < world.killed.length; seen++) {
          const { taskId, atMs } = world.killed[seen] as { taskId: string; atMs: number };
          expect(isSick(taskId)).toBe(true);
          const job = jobOf(taskId);
          const within = world.killed
            .slice(0, seen + 1)
            .filter((kill) => jobOf(kill.taskId) === job && kill.atMs > atMs - intervalMs);
          expect(within.length).toBeLessThanOrEqual(Math.max(1, Math.floor(living(job) * healthKillsFraction)));
        }
      };
      const wait = (ms: number): void => {
        // In small steps, so that the count of the living is that of the moment of each kill.
        for (let rest = ms; rest > 0; rest -= 250) {
          world.pass(Math.min(rest, 250));
          check();
        }
      };
      for (const move of list) {
        if (move.do === "launch") world.launch(`${move.job}-${count++}`, `job-${move.job}`);
        else if (move.do === "wait") wait(move.ms);
        else if (move.do === "sick") sick.set(move.job, move.part);
        else if (move.do === "well") sick.clear();
        else
          world.end(
            [...world.state.tasks.values()][move.index % Math.max(1, world.state.tasks.size)]?.info.taskId ?? "",
          );
        check();
      }
      // Those that are sick and stay so all have their turn.
      wait(intervalMs * (count + 4));
      const killed = new Set(world.killed.map(({ taskId }) => taskId));
      for (const task of world.state.tasks.values())
        if (task.phase === "running" && isSick(task.info.taskId)) expect(killed.has(task.info.taskId)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("a group of which nobody is left is forgotten by the limit on kills", () => {
  const world = new CheckedTasks();
  world.launch("a");
  world.isWell = () => false;
  while (world.killed.length === 0) world.pass(50);
  expect(world.state.healthKills.size).toBe(1);
  world.end("a");
  // Any other timer does it.
  world.launch("b", "other");
  world.pass(intervalMs * 2);
  world.end("b");
  world.pass(3_600_000 * 2);
  expect(world.state.healthKills.size).toBe(0);
});

test("a task that was unhealthy stays so over a restart of the agent, without a word and without a new grace", () => {
  const world = new CheckedTasks();
  world.launch("a", "web", [aCheck({ action: CheckAction.CHECK_ACTION_REPORT, graceMs: 3_600_000 })]);
  world.pass(intervalMs * 2);
  world.isWell = () => false;
  world.pass(intervalMs * 3);
  const before = world.healths("a");
  expect(before).toEqual([unknown, unknown, healthy, unhealthy]);
  world.restart();
  expect(world.state.named.get("f/a")?.[0]?.health).toBe(unhealthy);
  world.pass(intervalMs * 6);
  expect(world.healths("a")).toEqual(before);
  // Failures count at once: the first success before the restart has ended the grace.
  expect(world.state.named.get("f/a")?.[0]?.checks[0]?.failures).toBeGreaterThanOrEqual(5);
  world.isWell = () => true;
  world.pass(intervalMs * 2);
  expect(world.healths("a")).toEqual([...before, healthy]);
});

test("a restart in the grace of a task that was never healthy does not lengthen it", () => {
  const world = new CheckedTasks();
  world.launch("a", "web", [aCheck({ graceMs: intervalMs * 6 })]);
  world.isWell = () => false;
  world.pass(intervalMs * 3);
  world.restart();
  world.pass(intervalMs * 2);
  expect(world.killed).toEqual([]);
  world.pass(intervalMs * 4);
  expect(world.killed).toHaveLength(1);
  expect(world.killed[0]?.atMs).toBeLessThan(1_000 + intervalMs * 9);
});

test("the checks of many tasks that start at once are spread over the interval, also after a restart", () => {
  const world = new CheckedTasks();
  for (let i = 0; i < 500; i++) world.launch(`web-${i}`);
  world.pass(intervalMs * 3);
  const spreadOf = (): number => {
    const fromMs = world.nowMs;
    world.pass(intervalMs);
    const seconds = new Array<number>(10).fill(0);
    for (const { atMs } of world.probes)
      if (atMs > fromMs) seconds[Math.min(9, Math.floor((atMs - fromMs) / 1_000))]! += 1;
    return Math.max(...seconds);
  };
  // Fifty a second would be even.
  expect(spreadOf()).toBeLessThan(120);
  world.restart();
  world.pass(intervalMs);
  expect(spreadOf()).toBeLessThan(120);
});

test("checks that hang delay others, and keep none from being made: who waits for longest is next", () => {
  const world = new CheckedTasks();
  const script = { command: "check", arguments: [] };
  const { tcp: _, ...rest } = aCheck({ action: CheckAction.CHECK_ACTION_REPORT });
  // Launched first, so that nothing but the order of waiting can help the others.
  for (let i = 0; i < 6; i++) world.launch(`stuck-${i}`, "stuck", [{ ...rest, script }]);
  for (let i = 0; i < 6; i++) world.launch(`good-${i}`, "good", [{ ...rest, script }]);
  world.launch("plain", "plain", [aCheck()]);
  world.hangs = (taskId) => taskId.startsWith("stuck");
  world.pass(100);
  // Two at once may take the helper, and both hang; what needs none goes on.
  expect(world.probes.map(({ taskId }) => taskId)).toEqual(["stuck-0", "stuck-1", "plain"]);
  for (let round = 0; round < 30; round++) {
    world.answerHanging(2);
    world.pass(100);
    expect(world.state.probesUnderWay.helped.size).toBeLessThanOrEqual(2);
  }
  for (let i = 0; i < 6; i++) expect(world.state.named.get(`f/good-${i}`)?.[0]?.health).toBe(healthy);
});

test("a check of a port on the group's own loopback is refused where the group has none of its own", () => {
  const world = new CheckedTasks();
  world.launch("a", "web", [aCheck({ loopbackPort: 7000 })]);
  world.launch("b", "web", [aCheck({ loopbackPort: 70_000 })]);
  expect(world.statuses.map(({ message }) => message)).toEqual([
    "health_checks[0].loopback_port: network mode host has no loopback of its own",
    "health_checks[0].loopback_port: 70000 is no port",
  ]);
});
