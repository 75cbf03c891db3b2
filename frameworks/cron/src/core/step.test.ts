import { JobState, maintenanceAheadMs, StatusReason, TaskState } from "@muster/framework-sdk";
import type { Job } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { aJob, every, hourMs, minuteMs, secondMs, startedWorld, worldBeginsAt } from "./world.test.fixture.ts";

test("case 50: R3 runs three times and is then exhausted", () => {
  const world = startedWorld();
  world.submit(aJob("thrice", every("R3//PT1M")));
  world.run(hourMs);
  expect(world.launchSeconds()).toEqual([0, 60, 120]);
  expect(world.entry("thrice").counts).toMatchObject({ succeeded: 3, missed: 0, skipped: 0 });
  expect(world.summary("thrice")).toMatchObject({ state: JobState.JOB_STATE_COMPLETE, nextRunAt: 0 });
});

test("case 58: every five seconds for a minute are twelve targets and twelve runs", () => {
  const world = startedWorld();
  world.submit(aJob("beat", every("R/2026-01-01T00:00:00Z/PT5S")));
  world.run(minuteMs);
  expect(world.launchSeconds()).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
});

test("a run is durable before anything of it is launched", () => {
  const world = startedWorld();
  world.saveMs = 400;
  world.submit(aJob("beat", every("R//PT10S")));
  world.run(9 * secondMs);
  const [launch] = world.launches;
  expect(launch?.atMs).toBeGreaterThanOrEqual(worldBeginsAt + 400);
});

test("nothing is started where maintenance is near", () => {
  const world = startedWorld();
  world.maintenanceAt = world.nowMs + maintenanceAheadMs + 27 * secondMs;
  world.submit(aJob("beat", every("R/2026-01-01T00:00:00Z/PT5S")));
  world.run(minuteMs);
  expect(world.launchSeconds()).toEqual([5, 10, 15, 20, 25]);
  world.maintenanceAt = undefined;
  world.offer();
  world.run(secondMs);
  expect(world.launchSeconds().at(-1)).toBeGreaterThanOrEqual(60);
});

test("case 61: a run that was recorded and not launched is launched once by the next life", () => {
  const world = startedWorld();
  world.submit(aJob("beat", every("R/2026-06-01T00:01:00Z/PT1H")));
  world.crashOn = ({ type }) => type === "accept";
  world.run(70 * secondMs);
  expect(world.state).toBeUndefined();
  expect(world.launches).toEqual([]);
  world.crashOn = () => false;
  world.start();
  world.run(10 * minuteMs);
  expect(world.launches).toHaveLength(1);
  expect(world.entry("beat").counts).toMatchObject({ succeeded: 1, missed: 0 });
});

test("case 62: a run that was launched is adopted by the next life, whatever it did meanwhile", () => {
  for (const awayMs of [secondMs, 20 * minuteMs]) {
    const world = startedWorld();
    world.behave = () => ({ forMs: 10 * minuteMs });
    world.submit(aJob("long", every("R/2026-06-01T00:01:00Z/PT2H")));
    world.run(minuteMs + secondMs);
    expect(world.launches).toHaveLength(1);
    world.crash();
    world.run(awayMs);
    world.start();
    world.run(30 * minuteMs);
    expect(world.launches, `${awayMs} ms away`).toHaveLength(1);
    expect(world.entry("long").counts, `${awayMs} ms away`).toMatchObject({ succeeded: 1, failed: 0 });
  }
});

test("wherever the framework dies, no target is run twice and none is lost", () => {
  for (let dieAt = 0; dieAt < 60; dieAt++) {
    const world = startedWorld();
    world.submit(aJob("beat", every("R5/2026-06-01T00:01:00Z/PT1M")));
    let effects = 0;
    world.crashOn = () => effects++ === dieAt;
    for (let second = 0; second < 600; second++) {
      world.run(secondMs);
      if (!world.state) world.start();
    }
    const { runs, counts } = world.entry("beat");
    expect(new Set(world.launches.map(({ taskId }) => taskId)).size, `dies at effect ${dieAt}`).toBe(
      world.launches.length,
    );
    expect(world.launches.length, `dies at effect ${dieAt}`).toBe(5);
    expect(counts, `dies at effect ${dieAt}`).toMatchObject({ succeeded: 5, failed: 0, missed: 0, skipped: 0 });
    expect(new Set(runs.map(({ plannedAt }) => plannedAt)).size).toBe(5);
  }
});

test("after an hour away the latest target is run, the others are missed", () => {
  const world = startedWorld();
  world.submit(aJob("minutely", every("R/2026-06-01T00:00:30Z/PT1M")));
  world.run(minuteMs);
  world.crash();
  world.run(hourMs);
  world.start();
  world.run(5 * secondMs);
  const { counts, runs } = world.entry("minutely");
  expect(counts).toMatchObject({ succeeded: 2, missed: 59 });
  expect(runs.at(-1)?.plannedAt).toBe(worldBeginsAt + hourMs + 30 * secondMs);
  expect(world.launches).toHaveLength(2);
});

test("case 66: more missed targets than are listed are counted, and the schedule goes on", () => {
  const world = startedWorld();
  world.submit(aJob("minutely", every("R/2026-06-01T00:00:30Z/PT1M")));
  world.crash();
  world.run(150 * minuteMs);
  world.start();
  world.run(3 * minuteMs);
  const { counts, runs } = world.entry("minutely");
  expect(counts.missed).toBe(149);
  expect(runs.filter(({ phase }) => phase === "missed")).toHaveLength(10);
  expect(counts.succeeded).toBe(4);
});

test("what was due more than a day ago is not run any more", () => {
  const world = startedWorld();
  world.submit(aJob("weekly", every("R/2026-06-01T06:00:00Z/P7D")));
  world.crash();
  world.run(50 * hourMs);
  world.start();
  world.run(minuteMs);
  expect(world.launches).toEqual([]);
  expect(world.entry("weekly").counts).toMatchObject({ missed: 1 });
});

test("case 67: a run that takes longer than the period lets every second target be skipped, with its reason", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 90 * secondMs });
  world.submit(aJob("slow", every("R/2026-06-01T00:01:00Z/PT1M")));
  world.run(10 * minuteMs + 30 * secondMs);
  expect(world.launchSeconds()).toEqual([60, 180, 300, 420, 540]);
  const skipped = world.runs("slow").filter(({ phase }) => phase === "skipped");
  expect(skipped).toHaveLength(5);
  expect(skipped[0]?.reason).toMatch(/^overlap: slow\/\w+ has not ended$/);
});

test("case 67: with buffer_one the next run starts as the last one ends, and one waits at most", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 90 * secondMs });
  world.submit(aJob("slow", every("R/2026-06-01T00:01:00Z/PT1M", "buffer_one")));
  world.run(10 * minuteMs + 40 * secondMs);
  expect(world.launchSeconds()).toEqual([60, 150, 240, 330, 420, 510, 600]);
  expect(world.liveTaskIds).toHaveLength(1);
  const skipped = world.runs("slow").filter(({ phase }) => phase === "skipped");
  expect(skipped.length).toBeGreaterThan(0);
  expect(skipped[0]?.reason).toMatch(/^overlap: slow\/\w+ waits already$/);
});

test("case 68: with cancel the run before has ended when the next one starts", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("newest", every("R/2026-06-01T00:01:00Z/PT1M", "cancel")));
  for (let second = 0; second < 200; second++) {
    world.run(secondMs);
    expect(world.liveTaskIds.length).toBeLessThanOrEqual(1);
  }
  expect(world.launchSeconds()).toEqual([60, 120, 180]);
  const [first, second, third] = world.runs("newest");
  expect([first?.phase, second?.phase, third?.phase]).toEqual(["killed", "killed", "running"]);
  expect(first?.endedAt).toBeLessThanOrEqual(world.launches[1]?.atMs ?? 0);
});

test("case 68: with cancel nothing starts as long as the run before has not ended", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("newest", every("R/2026-06-01T00:01:00Z/PT5M", "cancel")));
  world.run(2 * minuteMs);
  const [first = ""] = world.liveTaskIds;
  world.tell(first, TaskState.TASK_UNREACHABLE);
  world.endsKilled = false;
  world.run(5 * minuteMs);
  expect(world.kills).toContain(first);
  expect(world.launches).toHaveLength(1);
  world.tell(first, TaskState.TASK_KILLED, { reason: StatusReason.REASON_KILLED_BY_FRAMEWORK });
  world.run(secondMs);
  expect(world.launches).toHaveLength(2);
});

test("case 68: with allow both runs go on", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("wide", every("R2/2026-06-01T00:01:00Z/PT1M", "allow")));
  world.run(3 * minuteMs);
  expect(world.launchSeconds()).toEqual([60, 120]);
  expect(world.liveTaskIds).toHaveLength(2);
});

test("case 68: with skip a run of which nobody knows how it stands is in the way", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("careful", every("R/2026-06-01T00:01:00Z/PT2M")));
  world.run(2 * minuteMs);
  world.tell(world.liveTaskIds[0] ?? "", TaskState.TASK_UNREACHABLE);
  world.run(2 * minuteMs);
  expect(world.launches).toHaveLength(1);
  expect(world.runs("careful").map(({ phase }) => phase)).toEqual(["running", "skipped"]);
});

test("runs that may overlap are started at their time, each with tasks of its own", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 150 * secondMs });
  world.submit(aJob("wide", every("R/2026-06-01T00:01:00Z/PT1M", "allow")));
  world.run(5 * minuteMs + 20 * secondMs);
  expect(world.launchSeconds()).toEqual([60, 120, 180, 240, 300]);
  expect(world.liveTaskIds.length).toBe(3);
});

test("case 69: a run waits for room until the next is due, and no longer", () => {
  const world = startedWorld();
  world.hasRoom = false;
  world.submit(aJob("patient", every("R/2026-06-01T00:05:00Z/PT5M")));
  world.run(9 * minuteMs);
  expect(world.runs("patient").at(-1)?.phase).toBe("pending");
  world.hasRoom = true;
  world.offer();
  world.run(30 * secondMs);
  expect(world.launchSeconds()).toEqual([540]);
  world.hasRoom = false;
  world.run(6 * minuteMs);
  const missed = world.runs("patient").find(({ phase }) => phase === "missed");
  expect(missed).toMatchObject({
    plannedAt: worldBeginsAt + 10 * minuteMs,
    reason: "no agent had room for it in time",
  });
});

test("case 70: jobs that are due at once and placed from one batch of offers each lose one target", () => {
  const world = startedWorld();
  world.submit(aJob("one", every("R2/2026-06-01T00:01:00Z/PT1M")));
  world.submit(aJob("two", every("R2/2026-06-01T00:01:00Z/PT1M")));
  world.run(90 * secondMs);
  expect(world.launches).toHaveLength(2);
  for (const id of ["one", "two"]) expect(world.entry(id).nextAt).toBe(worldBeginsAt + 2 * minuteMs);
  world.run(hourMs);
  expect(world.launches).toHaveLength(4);
});

test("case 71: a run that fails is tried at +0, +30 and +90 s; the next target gets three tries again", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 10, ends: 3 });
  world.submit(aJob("bad", every("R2/2026-06-01T00:01:00Z/PT1H")));
  world.run(2 * hourMs);
  expect(world.launchSeconds()).toEqual([60, 90, 150, 3_660, 3_690, 3_750]);
  expect(world.runs("bad")).toMatchObject([
    { phase: "failed", exitCode: 3, attemptCount: 3 },
    { phase: "failed", exitCode: 3, attemptCount: 3 },
  ]);
});

test("case 72: a retry that waits keeps its time through a crash; what a user killed is not tried again", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 10, ends: 1 });
  world.submit(aJob("bad", every("R1/2026-06-01T00:01:00Z/PT1H")));
  world.run(65 * secondMs);
  world.crash();
  world.run(10 * secondMs);
  world.start();
  world.run(hourMs);
  expect(world.launchSeconds()).toEqual([60, 90, 150]);

  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("killed"));
  world.run(secondMs);
  world.tell(world.liveTaskIds[0] ?? "", TaskState.TASK_KILLED, { reason: StatusReason.REASON_KILLED_BY_FRAMEWORK });
  world.run(hourMs);
  expect(world.runs("killed")).toMatchObject([{ phase: "killed", attemptCount: 1 }]);
});

test("a run on an agent that does not answer is tried elsewhere after five minutes, and the old task killed", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("lost"));
  world.run(secondMs);
  const [first = ""] = world.liveTaskIds;
  world.tell(first, TaskState.TASK_UNREACHABLE);
  world.run(4 * minuteMs);
  expect(world.launches).toHaveLength(1);
  world.run(2 * minuteMs);
  expect(world.launches).toHaveLength(2);
  world.tell(first, TaskState.TASK_RUNNING);
  expect(world.kills).toEqual([first]);
  expect(world.runs("lost")).toMatchObject([{ phase: "running", attemptCount: 2 }]);
});

test("a job says itself how long a run on an agent that does not answer is waited for", () => {
  const awaited = (disconnect: { lostAfterMs?: number; replace: boolean }): number => {
    const world = startedWorld();
    world.behave = () => ({ forMs: 10 * hourMs });
    const strategy = { ...disconnect, reconcile: "best_score" } as const;
    const patient = (job: Job): Job => ({
      ...job,
      groups: job.groups.map((group) => ({ ...group, disconnect: strategy })),
    });
    world.submit(aJob("patient", undefined, patient));
    world.run(secondMs);
    world.tell(world.liveTaskIds[0] ?? "", TaskState.TASK_UNREACHABLE);
    for (let minutes = 0; minutes < 90; minutes++) {
      if (world.launches.length > 1) return minutes;
      world.run(minuteMs);
    }
    return Number.POSITIVE_INFINITY;
  };
  expect(awaited({ lostAfterMs: hourMs, replace: true })).toBeCloseTo(60, -1);
  expect(awaited({ lostAfterMs: 20 * minuteMs, replace: true })).toBeLessThan(25);
  expect(awaited({ replace: false })).toBe(Number.POSITIVE_INFINITY);
});

test("a job that was purged and is handed in again runs under ids that no agent has seen", () => {
  const world = startedWorld();
  world.submit(aJob("again"));
  world.run(minuteMs);
  world.stopJob("again", true);
  world.run(minuteMs);
  world.submit(aJob("again"));
  world.run(minuteMs);
  expect(world.runs("again")).toMatchObject([{ phase: "succeeded" }]);
  expect(new Set(world.launches.map(({ taskId }) => taskId)).size).toBe(2);
});

test("a run on an agent that answers again in time goes on", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("back"));
  world.run(secondMs);
  const [first = ""] = world.liveTaskIds;
  world.tell(first, TaskState.TASK_UNREACHABLE);
  world.run(4 * minuteMs);
  world.tell(first, TaskState.TASK_RUNNING);
  world.run(30 * minuteMs);
  expect(world.launches).toHaveLength(1);
});

test("case 74: attempts that end in ERROR, GONE or DROPPED are counted and tried again", () => {
  for (const ends of [TaskState.TASK_ERROR, TaskState.TASK_GONE, TaskState.TASK_DROPPED]) {
    const world = startedWorld();
    world.behave = () => ({ forMs: 10, ends });
    world.submit(aJob("bad"));
    world.run(hourMs);
    expect(world.launchSeconds(), `state ${ends}`).toEqual([0, 30, 90]);
    expect(world.runs("bad"), `state ${ends}`).toMatchObject([{ phase: "failed", attemptCount: 3 }]);
  }
});

test("a launch on an offer that was gone costs no attempt", () => {
  const world = startedWorld();
  let count = 0;
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("unlucky"));
  world.run(20);
  while (count++ < 2) {
    const [task = ""] = world.liveTaskIds.slice(-1);
    const entry = world.entry("unlucky").runs[0]?.instances[0];
    if (entry) entry.tasks = entry.tasks.map((one) => ({ ...one, state: TaskState.TASK_STAGING, startedAt: 0 }));
    world.tell(task, TaskState.TASK_DROPPED, { reason: StatusReason.REASON_INVALID_OFFERS });
    world.run(100);
  }
  expect(world.launches).toHaveLength(3);
  expect(world.runs("unlucky")).toMatchObject([{ attemptCount: 1 }]);
});

/** A job that is not tried again when it fails. */
const once = (job: Job): Job => ({
  ...job,
  groups: job.groups.map((group) => ({ ...group, restart: { ...group.restart, attempts: 0 } })),
});

test("case 76: three failed runs in a row pause a schedule that says so; a success in between begins anew", () => {
  const world = startedWorld();
  const codes = [1, 1, 0, 1, 1, 1, 0, 0];
  world.behave = () => ({ forMs: 10, ends: codes[world.launches.length - 1] ?? 0 });
  world.submit(aJob("bad", every("R/2026-06-01T00:01:00Z/PT1M", "skip", { pauseAfterFailures: 3 }), once));
  world.run(hourMs);
  expect(world.launchSeconds()).toEqual([60, 120, 180, 240, 300, 360]);
  expect(world.logs).toContain("schedule paused");
  expect(world.summary("bad")).toMatchObject({ state: JobState.JOB_STATE_PENDING, nextRunAt: 0 });
  expect(world.status("bad").message).toBe("paused after 3 failed runs in a row: hand it in again to resume");
  world.crash();
  world.start();
  world.run(hourMs);
  expect(world.launches).toHaveLength(6);
});

test("case 77: what was due during an hour of pause is listed as skipped and not made up for", () => {
  const world = startedWorld();
  const schedule = (enabled: boolean) => every("R/2026-06-01T00:10:00Z/PT10M", "skip", { enabled });
  world.submit(aJob("beat", schedule(true)));
  world.run(15 * minuteMs);
  world.submit(aJob("beat", schedule(false)));
  world.run(hourMs);
  expect(world.launches).toHaveLength(1);
  world.submit(aJob("beat", schedule(true)));
  const skipped = world.runs("beat").filter(({ phase }) => phase === "skipped");
  expect(skipped.map(({ plannedAt }) => (plannedAt - worldBeginsAt) / minuteMs)).toEqual([20, 30, 40, 50, 60, 70]);
  expect(skipped[0]?.reason).toBe("its schedule was disabled");
  world.run(15 * minuteMs);
  expect(world.launchSeconds().map((second) => second / 60)).toEqual([10, 80, 90]);
  expect(world.entry("beat").counts).toMatchObject({ skipped: 6, missed: 0 });
});

test("a schedule that has paused itself goes on when its job is handed in again, as it is", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 10, ends: world.launches.length > 2 ? 0 : 1 });
  const job = aJob("bad", every("R/2026-06-01T00:01:00Z/PT1M", "skip", { pauseAfterFailures: 2 }), once);
  world.submit(job);
  world.run(30 * minuteMs + 30 * secondMs);
  world.submit(job);
  expect(world.answers.at(-1)).toEqual({ type: "submitted", version: 1, changed: false });
  world.run(2 * minuteMs);
  expect(world.launchSeconds()).toEqual([60, 120, 1_860, 1_920]);
  expect(world.entry("bad").counts).toMatchObject({ failed: 2, succeeded: 2, skipped: 28, missed: 0 });
});

/** How many seconds after midnight of that day each of so many jobs starts, and whether all of them did. */
function startsAtMidnight(jobCount: number, days: number): { offsets: number[][]; hasMissed: boolean } {
  const world = startedWorld();
  const midnight = every("R/2026-06-02T00:00:00Z/P1D", "skip", { jitterMs: 10 * minuteMs });
  const entries = Array.from({ length: jobCount }, (_, index) => {
    world.submit(aJob(`job-${index}`, midnight));
    return world.entry(`job-${index}`);
  });
  world.run(days * 24 * hourMs + 20 * minuteMs - (world.nowMs - worldBeginsAt));
  const offsets = Array.from({ length: days }, (_, day) =>
    entries.map(({ runs }) => Math.floor(((runs[day]?.startedAt ?? 0) - (runs[day]?.plannedAt ?? 0)) / secondMs)),
  );
  return { offsets, hasMissed: entries.some(({ counts }) => counts.succeeded !== days || counts.missed > 0) };
}

test("case 86: a thousand jobs that are due at midnight start over the minutes of their jitter, each at the same one daily", () => {
  const { offsets, hasMissed } = startsAtMidnight(1_000, 1);
  const [first = []] = offsets;
  expect(hasMissed).toBe(false);
  expect(Math.max(...first)).toBeLessThan(600);
  for (let minute = 0; minute < 9; minute++) {
    const within = first.filter((second) => Math.floor(second / 60) === minute).length;
    expect(within, `minute ${minute}`).toBeGreaterThan(70);
    expect(within, `minute ${minute}`).toBeLessThan(160);
  }
  const some = startsAtMidnight(50, 3);
  expect(some.hasMissed).toBe(false);
  for (const day of some.offsets) expect(day).toEqual(first.slice(0, 50));
}, 240_000);

test("a forced run leaves count and schedule as they are, and does not overlap", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: 5 * secondMs });
  world.submit(aJob("thrice", every("R3/2026-06-01T00:01:00Z/PT1M")));
  world.force("thrice");
  expect(world.answers.at(-1)).toMatchObject({ type: "forced", runId: "thrice/m1" });
  world.force("thrice");
  expect(world.refusals.at(-1)?.message).toBe("run thrice/m1 has not ended, and runs must not overlap");
  world.run(hourMs);
  expect(world.launchSeconds()).toEqual([0, 60, 120, 180]);
  expect(world.runs("thrice").map(({ kind }) => kind)).toEqual(["manual", "scheduled", "scheduled", "scheduled"]);
});

test("case 85: a job that is removed leaves neither task nor record behind", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(aJob("gone", every("R/2026-06-01T00:01:00Z/PT1M", "allow")));
  world.run(130 * secondMs);
  world.stopJob("gone", true);
  expect(world.answers.at(-1)).toEqual({ type: "stopped", taskCount: 2 });
  world.run(hourMs);
  expect(world.liveTaskIds).toEqual([]);
  expect(world.storedKeys).toEqual([]);
  expect(world.state?.jobs.size).toBe(0);
  expect(world.launches).toHaveLength(2);
});

test("case 87: ten runs of each kind are kept, counters know of all", () => {
  const world = startedWorld();
  world.behave = (taskId) => ({
    forMs: 10,
    ends: Number.parseInt(taskId.split(".")[1] ?? "", 36) % 120_000 === 0 ? 1 : 0,
  });
  world.submit(aJob("many", every("R50/2026-06-01T00:01:00Z/PT1M"), once));
  world.run(2 * hourMs);
  const { runs, counts } = world.entry("many");
  expect(counts).toMatchObject({ succeeded: 25, failed: 25 });
  expect(runs.filter(({ phase }) => phase === "succeeded")).toHaveLength(10);
  expect(runs.filter(({ phase }) => phase === "failed")).toHaveLength(10);
});

test("case 88: a clock that goes back runs no target twice; one that goes forward catches up", () => {
  const world = startedWorld();
  world.submit(aJob("minutely", every("R/2026-06-01T00:01:00Z/PT1M")));
  world.run(90 * minuteMs + 30 * secondMs);
  const before = world.launches.length;
  expect(before).toBe(90);
  world.nowMs -= hourMs;
  world.run(hourMs);
  expect(world.launches).toHaveLength(before);
  world.run(minuteMs);
  expect(world.launches).toHaveLength(before + 1);
  world.nowMs += hourMs;
  world.run(secondMs);
  expect(world.launches).toHaveLength(before + 2);
  expect(world.entry("minutely").counts.missed).toBe(59);
});

test("case 90: a start years ago causes no burst", () => {
  const world = startedWorld();
  world.submit(aJob("old", every("R/2019-01-01T00:00:07Z/PT1M")));
  world.run(minuteMs);
  expect(world.launchSeconds()).toEqual([7]);
});

test("a batch job without a schedule runs once; handed in unchanged it stays as it is, changed it runs again", () => {
  const world = startedWorld();
  world.submit(aJob("once"));
  world.run(minuteMs);
  expect(world.summary("once").state).toBe(JobState.JOB_STATE_COMPLETE);
  world.submit(aJob("once"));
  expect(world.answers.at(-1)).toEqual({ type: "submitted", version: 1, changed: false });
  world.run(minuteMs);
  expect(world.launches).toHaveLength(1);
  world.submit(aJob("once", undefined, (job) => ({ ...job, priority: 60 })));
  expect(world.answers.at(-1)).toEqual({ type: "submitted", version: 2, changed: true });
  world.run(minuteMs);
  expect(world.launches).toHaveLength(2);
});

test("a run has as many tasks as its groups have instances, and succeeds when all have", () => {
  const world = startedWorld();
  world.behave = (taskId) => ({ forMs: 1_000, ends: taskId.includes(".0-2-1") ? 100 : 0 });
  world.submit(
    aJob("wide", undefined, (job) => ({ ...job, groups: job.groups.map((group) => ({ ...group, count: 3 })) })),
  );
  world.run(10 * secondMs);
  expect(world.launches).toHaveLength(3);
  expect(world.runs("wide")[0]?.phase).toBe("running");
  world.run(minuteMs);
  expect(world.launches).toHaveLength(4);
  expect(world.runs("wide")[0]).toMatchObject({ phase: "succeeded", attemptCount: 2 });
});

test("a task of ours that nobody asked for is killed", () => {
  const world = startedWorld();
  world.tell("ghost.abc.0-0-1", TaskState.TASK_RUNNING);
  expect(world.kills).toEqual(["ghost.abc.0-0-1"]);
});

test("a stopped job runs nothing until it is handed in again", () => {
  const world = startedWorld();
  world.submit(aJob("beat", every("R/2026-06-01T00:01:00Z/PT1M")));
  world.run(90 * secondMs);
  world.stopJob("beat");
  world.crash();
  world.start();
  world.run(hourMs);
  expect(world.launches).toHaveLength(1);
  world.force("beat");
  expect(world.refusals.at(-1)?.kind).toBe("wrong-state");
  world.submit(aJob("beat", every("R/2026-06-01T00:01:00Z/PT1M")));
  world.run(2 * minuteMs);
  expect(world.launches.length).toBeGreaterThan(1);
});

test("a step looks at the jobs that have changed or are due, however many there are", () => {
  const world = startedWorld();
  for (let number = 0; number < 200; number++)
    world.submit(aJob(`idle-${number}`, every("R/2027-01-01T00:00:00Z/P1D")));
  world.submit(aJob("beat", every("R/2026-06-01T00:01:00Z/PT1M")));
  const looked = new Set<string>();
  for (const entry of world.state?.jobs.values() ?? []) {
    let { activeRuns } = entry;
    // Whoever looks at a job asks what of it is under way.
    Object.defineProperty(entry, "activeRuns", {
      get: () => {
        looked.add(entry.id);
        return activeRuns;
      },
      set: (runs: typeof activeRuns) => {
        activeRuns = runs;
      },
    });
  }
  world.run(10 * minuteMs);
  expect(world.launches).toHaveLength(10);
  world.force("beat");
  world.offer();
  expect([...looked]).toEqual(["beat"]);
});
