import { codecOf, JobState, MusterError } from "@muster/framework-sdk";
import type { Job, Parameterized } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { readDispatch } from "../service/read-dispatch.ts";
import { launchGroup } from "./build.ts";
import { type DispatchRequest, payloadBytesMax } from "./dispatch.ts";
import { runsOf } from "./view/views.ts";
import { aJob, type CoreWorld, hourMs, minuteMs, secondMs, startedWorld } from "./world.test.fixture.ts";

function parameterized(id: string, rules: Partial<Parameterized> = {}): Job {
  return aJob(id, undefined, (job) => ({
    ...job,
    meta: { level: "low" },
    parameterized: { payload: "optional", metaRequired: [], metaOptional: ["level", "input"], ...rules },
    groups: job.groups.map((group) => ({
      ...group,
      tasks: group.tasks.map((task) => ({ ...task, meta: { level: "low" }, dispatchPayload: { file: "in/rows.csv" } })),
    })),
  }));
}

const request = (more: Partial<DispatchRequest> = {}): DispatchRequest => ({
  jobId: "etl",
  payload: Buffer.alloc(0),
  meta: {},
  token: "",
  idPrefix: "",
  ...more,
});

/** Names of the jobs that dispatches have made. */
function childrenOf(world: CoreWorld): string[] {
  return [...(world.state?.children.get("etl") ?? [])].map(({ id }) => id);
}

function lastRefusal(world: CoreWorld): string {
  const error = world.refusals.at(-1);
  return `${error?.kind} ${error?.field ?? ""}: ${error?.message}`;
}

test("a parameterized job runs when it is dispatched and not before, each time as a job of its own", () => {
  const world = startedWorld();
  world.submit(parameterized("etl"));
  world.run(minuteMs);
  expect(world.launches).toEqual([]);
  expect(world.summary("etl")).toMatchObject({ state: JobState.JOB_STATE_RUNNING, desired: 0, parent: "" });
  world.dispatch(request({ meta: { input: "a" } }));
  world.dispatch(request({ meta: { input: "b" }, idPrefix: "nightly" }));
  world.run(minuteMs);
  const [first = "", second = ""] = childrenOf(world);
  expect(first).toMatch(/^etl\/dispatch-\d{10}-[a-z0-9]{8}$/);
  expect(second).toMatch(/^etl\/dispatch-nightly-\d{10}-[a-z0-9]{8}$/);
  expect(world.answers.slice(-2)).toEqual([
    { type: "dispatched", name: first, created: true },
    { type: "dispatched", name: second, created: true },
  ]);
  expect(world.launches).toHaveLength(2);
  expect(world.summary(first)).toMatchObject({ state: JobState.JOB_STATE_COMPLETE, parent: "etl" });
  const { state } = world;
  if (!state) throw new Error("no state");
  expect(runsOf(state, world.entry("etl"), 0).map(({ runId, kind }) => [runId, kind])).toEqual([
    [second, "dispatched"],
    [first, "dispatched"],
  ]);
});

test("what a dispatch gives reaches its tasks: payload as a file, metadata over the job's own", () => {
  const world = startedWorld();
  world.submit(parameterized("etl"));
  world.dispatch(request({ payload: Buffer.from("1,2\n"), meta: { level: "high" } }));
  const [name = ""] = childrenOf(world);
  const entry = world.entry(name);
  const [run] = entry.runs;
  const [instance] = run?.instances ?? [];
  if (!run || !instance) throw new Error("no run");
  const [task] = launchGroup(entry.current.job, run, instance, entry.current.dispatch).tasks;
  const spec = codecOf("TaskSpec").decode(task?.spec ?? Buffer.alloc(0));
  expect(spec.dispatchPayload).toEqual({ file: "in/rows.csv", contentBase64: Buffer.from("1,2\n").toString("base64") });
  expect(spec.meta).toEqual({ level: "high" });
  expect(spec.environment).toMatchObject({ NOMAD_JOB_PARENT_ID: "etl", MUSTER_JOB_PARENT_ID: "etl" });
  expect(spec.jobName).toBe(name);
  expect(task?.discovery?.endpoints[0]?.name).toBe("etl");
  const shown = JSON.parse(world.status(entry.id).definition.toString()) as Job;
  expect([shown.id, shown.meta, shown.parameterized]).toEqual([name, { level: "high" }, undefined]);
});

test("a dispatch that does not bring what the job wants is refused, and says what it wants", () => {
  const world = startedWorld();
  world.submit(parameterized("etl", { payload: "required", metaRequired: ["day"], metaOptional: ["level"] }));
  world.dispatch(request({ meta: { day: "1" } }));
  expect(lastRefusal(world)).toBe("invalid payload: payload: must be given: the job requires one");
  const payload = Buffer.from("x");
  world.dispatch(request({ payload }));
  expect(lastRefusal(world)).toBe("invalid meta: meta: must give day");
  world.dispatch(request({ payload, meta: { day: "1", wrong: "2" } }));
  expect(lastRefusal(world)).toBe(
    "invalid meta: meta: must not give wrong: a dispatch of this job may give day, level",
  );
  world.submit(parameterized("etl", { payload: "forbidden" }));
  world.dispatch(request({ payload }));
  expect(lastRefusal(world)).toContain("payload: must not be given");
  world.submit(aJob("plain"));
  world.dispatch(request({ jobId: "plain" }));
  expect(lastRefusal(world)).toBe("wrong-state : job plain is not parameterized: job run runs it");
  world.dispatch(request({ jobId: "nobody" }));
  expect(lastRefusal(world)).toContain("not-found");
  world.force("etl");
  expect(lastRefusal(world)).toContain("run it with job dispatch");
  expect(childrenOf(world)).toEqual([]);
});

test("two dispatches with one token are one, also over a crash of the framework", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(parameterized("etl"));
  world.dispatch(request({ token: "monday" }));
  const [name] = childrenOf(world);
  world.crash();
  world.start();
  world.run(secondMs);
  world.dispatch(request({ token: "monday" }));
  expect(world.answers.at(-1)).toEqual({ type: "dispatched", name, created: false });
  world.dispatch(request({ token: "tuesday" }));
  expect(world.answers.at(-1)).toMatchObject({ type: "dispatched", created: true });
  world.run(2 * hourMs);
  expect(world.launches).toHaveLength(2);
});

test("a dispatch that was answered runs once, wherever the framework dies", () => {
  for (const type of ["save", "accept", "reply", "acknowledge"] as const) {
    const world = startedWorld();
    world.submit(parameterized("etl"));
    let isArmed = true;
    world.crashOn = (effect) => {
      const dies = isArmed && effect.type === type;
      if (dies) isArmed = false;
      return dies;
    };
    world.dispatch(request({ payload: Buffer.from("kept"), token: "one" }));
    world.run(minuteMs);
    world.crashOn = () => false;
    if (!world.state) world.start();
    world.run(10 * minuteMs);
    world.dispatch(request({ payload: Buffer.from("kept"), token: "one" }));
    world.run(10 * minuteMs);
    expect(world.launches, type).toHaveLength(1);
    const [name = ""] = childrenOf(world);
    expect(world.entry(name).current.dispatch?.payloadBase64, type).toBe(Buffer.from("kept").toString("base64"));
  }
});

test("ten dispatches of each kind are kept, and the rest leaves neither job nor record", () => {
  const world = startedWorld();
  let count = 0;
  world.behave = () => ({ forMs: secondMs, ends: count++ % 2 });
  world.submit(aJob("etl", undefined, () => ({ ...withoutRetries(parameterized("etl")) })));
  for (let i = 0; i < 30; i++) {
    world.dispatch(request());
    world.run(5 * secondMs);
  }
  expect(world.launches).toHaveLength(30);
  expect(childrenOf(world)).toHaveLength(20);
  expect(world.storedKeys.filter((key) => key.startsWith("jobs/"))).toHaveLength(21);
  expect(world.storedKeys).toHaveLength(21 * 3);
});

test("who stops a parameterized job ends its dispatches; to stop one of these leaves the others", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(parameterized("etl"));
  for (let i = 0; i < 3; i++) world.dispatch(request());
  const [first = "", second = ""] = childrenOf(world);
  world.stopJob(first);
  world.run(secondMs);
  expect(world.summary(first).state).toBe(JobState.JOB_STATE_STOPPED);
  expect(world.liveTaskIds).toHaveLength(2);
  world.stopJob("etl");
  expect(world.answers.at(-1)).toEqual({ type: "stopped", taskCount: 2 });
  world.run(secondMs);
  expect(world.liveTaskIds).toEqual([]);
  expect(world.summary(second).state).toBe(JobState.JOB_STATE_STOPPED);
  world.dispatch(request());
  expect(lastRefusal(world)).toContain("is stopped");
  world.stopJob("etl", true);
  world.run(minuteMs);
  expect(world.storedKeys).toEqual([]);
  expect(world.state?.jobs.size).toBe(0);
  expect(world.state?.children.size).toBe(0);
});

test("a framework that dies while it stops a parameterized job ends the dispatches in its next life", () => {
  const world = startedWorld();
  world.behave = () => ({ forMs: hourMs });
  world.submit(parameterized("etl"));
  world.dispatch(request());
  world.run(secondMs);
  world.crashOn = ({ type }) => type === "kill";
  world.stopJob("etl");
  const isParentKept = world.state === undefined;
  expect(isParentKept).toBe(true);
  world.crashOn = () => false;
  world.start();
  world.run(minuteMs);
  // What was not durable was not answered: the job goes on as it was.
  expect(world.liveTaskIds).toHaveLength(1);
  let saves = 0;
  world.crashOn = ({ type }) => type === "save" && ++saves === 2;
  world.stopJob("etl");
  world.crashOn = () => false;
  expect(world.state).toBeUndefined();
  world.start();
  world.run(minuteMs);
  expect(world.liveTaskIds).toEqual([]);
});

test("what is too large is refused at the edge with its limit", () => {
  const wire = { name: "etl", payload: Buffer.alloc(0), meta: {}, idempotencyToken: "", idPrefix: "" };
  const refusal = (more: Partial<typeof wire>): string => {
    try {
      readDispatch({ ...wire, ...more });
      return "";
    } catch (error) {
      return error instanceof MusterError ? `${error.field}: ${error.message}` : String(error);
    }
  };
  expect(refusal({ payload: Buffer.alloc(payloadBytesMax) })).toBe("");
  expect(refusal({ payload: Buffer.alloc(payloadBytesMax + 1) })).toContain(
    "payload: payload: must have at most 16384 bytes",
  );
  expect(refusal({ meta: { a: "x".repeat(70_000) } })).toContain("meta: ");
  expect(refusal({ idempotencyToken: "x".repeat(300) })).toContain("idempotency_token: ");
  expect(refusal({ idPrefix: "a/b" })).toContain("id_prefix: ");
});

function withoutRetries(job: Job): Job {
  return { ...job, groups: job.groups.map((group) => ({ ...group, restart: { ...group.restart, attempts: 0 } })) };
}
