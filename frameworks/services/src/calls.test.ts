import {
  type JobHandlers,
  type JobMethod,
  type MusterError,
  PlanAction,
  type Result,
  resources,
  type StateWrite,
  seededRandom,
} from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { JobCalls } from "./calls.ts";
import { anAgent, definitionOf, jobText, SmallWorld } from "./core/core.test.support.ts";

/** The calls of a framework whose State answers when the test says so. */
class Desk {
  readonly world = new SmallWorld(anAgent("a", 1_000, 1_000));
  readonly writes: (readonly StateWrite[])[] = [];
  readonly #pending: ((result: Result<readonly number[]>) => void)[] = [];
  readonly #handlers: JobHandlers;

  constructor() {
    const { world } = this;
    this.#handlers = new JobCalls({
      state: world.state,
      roles: ["default"],
      now: () => world.now,
      around: () => ({ agents: world.agents, isKnown: true, random: seededRandom("x") }),
      transact: (writes, done) => {
        this.writes.push(writes);
        this.#pending.push(done);
      },
      changed: () => {},
      watchers: () => new Set(),
      dropWatchers: () => {},
    }).handlers();
  }

  /** State answers everything that waits. */
  write(): void {
    for (let done = this.#pending.shift(); done; done = this.#pending.shift())
      done({ ok: true, value: [this.writes.length] });
  }

  /** What came so far: messages and, at the end, a refusal. */
  call<T>(method: JobMethod, request: unknown): { answers: T[]; error: MusterError | undefined } {
    const outcome: { answers: T[]; error: MusterError | undefined } = { answers: [], error: undefined };
    const reply = {
      send: (message: T) => void outcome.answers.push(message),
      end: () => {},
      refuse: (error: MusterError) => {
        outcome.error = error;
      },
    };
    const handler = this.#handlers[method] as (request: unknown, reply: unknown, caller: unknown) => unknown;
    try {
      handler(request, reply, { principal: "local", deadlineMs: 0 });
    } catch (error) {
      outcome.error = error as MusterError;
    }
    return outcome;
  }

  run(text: string, more: object = {}) {
    return this.call<{ version: number; changed: boolean }>("Run", submission(text, more));
  }
}

function submission(text: string, more: object = {}): object {
  const definition = definitionOf(text);
  const { id, type, role } = JSON.parse(definition);
  return {
    job: {
      name: id,
      type,
      role,
      priority: 50,
      definition: Buffer.from(definition),
      source: text,
      variables: {},
      ...more,
    },
  };
}

test("Run is answered only when the job is durable, and the same job again changes nothing", () => {
  const desk = new Desk();
  const first = desk.run(jobText("web"));
  expect(first.answers).toEqual([]);
  desk.write();
  expect(first.answers).toMatchObject([{ version: 1, changed: true }]);
  expect(desk.run(jobText("web")).answers).toMatchObject([{ version: 1, changed: false }]);
});

test("changes of one job follow one another, whatever their callers' hurry", () => {
  const desk = new Desk();
  const runs = [2, 3, 4].map((count) => desk.run(jobText("web", { count })));
  expect(desk.writes).toHaveLength(1);
  desk.write();
  expect(runs.map(({ answers }) => answers[0]?.version)).toEqual([1, 2, 3]);
});

test("check_version refuses what was planned against another version", () => {
  const desk = new Desk();
  desk.run(jobText("web"));
  desk.write();
  expect(desk.run(jobText("web", { count: 2 }), { checkVersion: 0 }).error?.kind).toBe("stale");
  expect(desk.run(jobText("web", { count: 2 }), { checkVersion: 7 }).error?.message).toContain("at version 1, not 7");
  const right = desk.run(jobText("web", { count: 2 }), { checkVersion: 1 });
  desk.write();
  expect(right.answers[0]?.version).toBe(2);
});

test("bad submissions are refused with the field that is wrong", () => {
  const desk = new Desk();
  const fields = [
    desk.run(jobText("web"), { name: "other" }),
    desk.run(jobText("web"), { type: "batch" }),
    desk.run(jobText("web"), { role: "other" }),
    desk.run(jobText("web"), { definition: Buffer.from("{}") }),
    desk.run(jobText("web", { head: 'role = "nobody"' })),
    desk.run(jobText("web"), { source: "x".repeat(300_000) }),
  ].map(({ error }) => [error?.kind, error?.field]);
  expect(fields).toEqual([
    ["invalid", "job.name"],
    ["invalid", "job.type"],
    ["invalid", "job.role"],
    ["invalid", "job.definition.schema"],
    ["invalid", "job.role"],
    ["invalid", "job.definition"],
  ]);
});

test("scaling makes a version, and the history tells what made each", () => {
  const desk = new Desk();
  desk.run(jobText("web"));
  desk.write();
  const scaled = desk.call("Scale", { name: "web", group: "", count: 4 });
  desk.write();
  expect(scaled.answers).toEqual([{ version: 2, countBefore: 1 }]);
  const reverted = desk.call("Revert", { name: "web", version: 1 });
  desk.write();
  expect(reverted.answers).toEqual([{ version: 3 }]);
  const [history] = desk.call<{ versions: { version: number; cause: string }[] }>("History", { name: "web" }).answers;
  expect(history?.versions.map(({ version, cause }) => [version, cause])).toEqual([
    [3, "revert"],
    [2, "scale"],
    [1, "run"],
  ]);
  expect(desk.call("Scale", { name: "web", group: "nope", count: 1 }).error?.message).toContain(
    'no group "nope", only g',
  );
});

test("case 26: going back from version 3 to version 1 makes version 4, equal to the first, and the history has all four", () => {
  const desk = new Desk();
  for (const cpu of [1, 2, 3]) {
    desk.run(jobText("web", { task: `env {\n        RELEASE = "${cpu}"\n      }` }));
    desk.write();
  }
  const reverted = desk.call("Revert", { name: "web", version: 1 });
  desk.write();
  expect(reverted.answers).toEqual([{ version: 4 }]);
  type Kept = { version: number; cause: string; definition: Buffer; source: string };
  const [history] = desk.call<{ versions: Kept[] }>("History", { name: "web" }).answers;
  const versions = history?.versions ?? [];
  expect(versions.map(({ version, cause }) => [version, cause])).toEqual([
    [4, "revert"],
    [3, "run"],
    [2, "run"],
    [1, "run"],
  ]);
  expect(versions[0]?.definition).toEqual(versions[3]?.definition);
  expect(versions[0]?.source).toBe(versions[3]?.source);
  expect(versions[0]?.definition).not.toEqual(versions[1]?.definition);
});

test("case 14: an update that may neither stop an instance nor start one too many is refused", () => {
  const desk = new Desk();
  const definition = JSON.parse(definitionOf(jobText("web", { count: 4 })));
  definition.groups[0].update.method = { kind: "surge", minHealthyPercent: 100, surgePercent: 0 };
  const run = desk.run(jobText("web"), { definition: Buffer.from(JSON.stringify(definition)) });
  expect(run.error).toMatchObject({ kind: "invalid", field: "job.definition.groups[0].update.method" });
  expect(desk.writes).toEqual([]);
  expect(() => definitionOf(jobText("web", { group: "update {\n      surge_percent = 0\n    }" }))).toThrow(
    /job\/update-method/,
  );
});

test("case 46: a job that asks for a secret of a provider that is not there is refused", () => {
  for (const block of ['secret "db" {\n        provider = "vault"\n      }', "vault {}"])
    expect(() => definitionOf(jobText("web", { task: block })), block).toThrow(/"severity":"error"/);
  const definition = JSON.parse(definitionOf(jobText("web")));
  definition.groups[0].tasks[0].secrets = [{ name: "db" }];
  const run = new Desk().run(jobText("web"), { definition: Buffer.from(JSON.stringify(definition)) });
  expect(run.error).toMatchObject({ kind: "invalid" });
});

test("case 49: a definition that is too large is refused, and it alone", () => {
  const desk = new Desk();
  const large = desk.run(jobText("large", { task: `env {\n        BIG = "${"x".repeat(300_000)}"\n      }` }));
  const small = desk.run(jobText("web"));
  desk.write();
  expect(large.error).toMatchObject({ kind: "invalid", field: "job.definition" });
  expect(small.answers).toMatchObject([{ version: 1, changed: true }]);
  expect([...desk.world.state.jobs.keys()]).toEqual(["web"]);
});

test("older versions than the last ten are forgotten", () => {
  const desk = new Desk();
  for (let count = 1; count <= 15; count++) {
    desk.run(jobText("web", { count }));
    desk.write();
  }
  const [history] = desk.call<{ versions: unknown[] }>("History", { name: "web" }).answers;
  expect(history?.versions).toHaveLength(11);
  expect(desk.writes.at(-1)?.some((write) => write.delete === true)).toBe(true);
});

test("case 39: a plan names agents for what fits, and for what does not the reason of each in numbers", () => {
  const desk = new Desk();
  desk.world.agents.set("b", { ...anAgent("b", 50, 50), total: resources({ cpuMillis: 50, memoryMiB: 50 }) });
  const [plan] = desk.call<Record<string, unknown>>("Plan", submission(jobText("web", { count: 12 }))).answers;
  expect(plan).toMatchObject({ action: PlanAction.PLAN_ACTION_CREATE, version: 0, startCount: 12 });
  const placements = (plan?.["placements"] ?? []) as { agentId: string }[];
  expect(placements.filter(({ agentId }) => agentId === "a")).toHaveLength(10);
  expect(plan?.["rejections"]).toEqual([
    {
      group: "g",
      agentId: expect.any(String),
      agentName: expect.any(String),
      reason: "needs 100 milli-CPU of cpu, has 0",
    },
    { group: "g", agentId: "b", agentName: "b", reason: "needs 100 milli-CPU of cpu, has 50" },
  ]);
  expect(desk.writes).toEqual([]);
});

test("a plan tells an update in place from one that replaces", () => {
  const desk = new Desk();
  desk.run(jobText("web"));
  desk.write();
  desk.world.settle();
  const plan = (text: string) => desk.call<Record<string, unknown>>("Plan", submission(text)).answers[0];
  expect(plan(jobText("web"))).toMatchObject({
    action: PlanAction.PLAN_ACTION_NONE,
    startCount: 0,
    stopCount: 0,
    changes: [],
  });
  expect(plan(jobText("web", { count: 3 }))).toMatchObject({
    action: PlanAction.PLAN_ACTION_UPDATE,
    startCount: 2,
    changes: [{ path: "groups[g].count", before: "1", after: "3" }],
  });
  expect(plan(jobText("web", { task: 'user = "nobody"' }))).toMatchObject({
    action: PlanAction.PLAN_ACTION_REPLACE,
    startCount: 1,
    stopCount: 1,
  });
});

test("case 22: while an update goes on a change that was planned before it is refused, and one of another job is taken in", () => {
  const desk = new Desk();
  desk.run(jobText("a", { count: 2 }));
  desk.run(jobText("x"));
  desk.write();
  const plan = { checkVersion: 1 };
  const first = desk.run(jobText("a", { count: 2, task: 'user = "nobody"' }), plan);
  // Both were planned against version 1: whoever comes second is told, also while the first is not durable yet.
  const second = desk.run(jobText("a", { count: 2, task: 'user = "daemon"' }), plan);
  const other = desk.run(jobText("x", { count: 3 }), plan);
  desk.write();
  const third = desk.run(jobText("a", { count: 3 }), plan);
  expect(first.answers).toMatchObject([{ version: 2, changed: true }]);
  expect([second.error?.kind, third.error?.kind]).toEqual(["stale", "stale"]);
  expect(other.answers).toMatchObject([{ version: 2, changed: true }]);
});
