// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show what agents fill in.
import { emptyMessage, seededRandom } from "@muster/foundation";
import { StatusReason, TaskState, TemplateChange, type TemplateFile } from "@muster/proto";
import { expect, test } from "vitest";
import { emptySpec, emptyTaskInfo } from "../../empty.ts";
import { coreConfig } from "../core-config.test.support.ts";
import { createState } from "../create-state.ts";
import { nextWakeMs } from "../deadlines.ts";
import type { AgentEffect, AgentInput } from "../effects.ts";
import { plainNetwork } from "../model.ts";
import { step } from "../step.ts";
import { readEnvironmentLines } from "./env-lines.ts";
import { placeOf } from "./places.ts";

const { TEMPLATE_CHANGE_RESTART, TEMPLATE_CHANGE_SIGNAL } = TemplateChange;

function file(text: string, settings: Partial<TemplateFile> = {}): TemplateFile {
  return {
    ...emptyMessage("TemplateFile"),
    text,
    destination: "local/file",
    change: TEMPLATE_CHANGE_SIGNAL,
    ...settings,
  };
}

/** An agent's core at a time of the test's own, whose records, files and starts succeed at once. */
function play(...groups: TemplateFile[][]) {
  const range = { first: 20_000, last: 20_019, reuseAfterMs: 0 };
  const state = createState(coreConfig, range, seededRandom("templates"), 0);
  const effects: AgentEffect[] = [];
  let nowMs = 0;
  const input = (one: AgentInput): void => {
    for (const effect of step(state, one, { monotonicMs: nowMs, epochMs: 1_000 + nowMs })) {
      effects.push(effect);
      if ((effect.type === "persist-intent" || effect.type === "persist-state") && effect.purpose)
        input({ type: "durable", purpose: effect.purpose });
      if (effect.type === "read-materials")
        input({ type: "materials-read", id: effect.wish.id, found: { ok: true, sources: [], secrets: [] } });
      if (effect.type === "make-file")
        input({ type: "file-made", id: effect.file.id, index: effect.index, problem: undefined });
      if (effect.type === "spawn") {
        const started = { pid: 1, startTicks: 1, shimPid: 2, shimStartTicks: 2, at: nowMs };
        input({ type: "started", id: effect.spec.id, started });
      }
    }
  };
  const key = (name: string, value: string | undefined): void =>
    input({
      type: "catalog",
      isInDoubt: false,
      entries: [
        { need: { kind: "key", name }, known: { kind: "keys", keys: value === undefined ? [] : [[name, value]] } },
      ],
    });
  const advanceTo = (ms: number): void => {
    for (;;) {
      const at = nextWakeMs(state, { monotonicMs: nowMs, epochMs: 1_000 + nowMs });
      if (at === undefined || at > ms) break;
      nowMs = Math.max(nowMs, at);
      input({ type: "wake" });
    }
    nowMs = ms;
  };
  const exited = (id: string, exitCode: number): void =>
    input({ type: "exited", id, exit: { exitCode, signal: "", at: nowMs } });
  const took = (type: AgentEffect["type"]): AgentEffect[] => effects.filter((effect) => effect.type === type);
  const tasks = groups.map((templates, index) => ({
    info: { ...emptyTaskInfo, taskId: `t-${index}` },
    spec: { ...emptySpec(), command: "serve", templates },
    problem: "",
  }));
  const whose = { frameworkId: "f", frameworkName: "services", role: "web", launchId: "l", networkMode: "host" };
  input({ type: "launch", launch: { ...whose, network: plainNetwork, ports: [], tasks } });
  const task = (index = 0) => [...state.tasks.values()][index] as NonNullable<ReturnType<typeof state.tasks.get>>;
  return { state, effects, input, key, advanceTo, exited, took, task, now: () => nowMs };
}

test("what is missing is told once it has been waited for, and again when it is something else", () => {
  const { advanceTo, key, task, took } = play([file('{{ key "a" }}{{ key "b" }}')]);
  expect(took("follow-catalog")).toHaveLength(1);
  advanceTo(900);
  expect(task().latest?.message).toBe("");
  advanceTo(1_000);
  expect(task().latest).toMatchObject({ state: TaskState.TASK_STARTING, message: "waits for key a, key b" });
  key("a", "1");
  advanceTo(5_000);
  expect(task().latest?.message).toBe("waits for key b");
  key("b", "2");
  expect(task().phase).toBe("running");
  expect(took("make-file")).toMatchObject([{ file: { text: "12", mode: 0o644 } }]);
});

test("a splay is drawn within its bound, and takes in what else changes until it is over", () => {
  const { advanceTo, key, took, state } = play([
    file('{{ key "a" }}', { splayMs: 10_000 }),
    file('{{ key "b" }}', { splayMs: 10_000, destination: "local/b", signal: "SIGUSR1" }),
    file('{{ key "c" }}', { splayMs: 10_000, destination: "local/c" }),
  ]);
  for (const name of ["a", "b", "c"]) key(name, "1");
  advanceTo(1_000);
  for (const name of ["a", "b", "c"]) key(name, "2");
  const due = [...state.tasks.values()][0]?.templates?.change?.atMs ?? 0;
  expect(due).toBeGreaterThan(1_000);
  expect(due).toBeLessThan(11_000);
  advanceTo(due - 1);
  expect(took("signal")).toEqual([]);
  key("a", "3");
  advanceTo(due);
  expect(took("signal").map((effect) => "signal" in effect && effect.signal)).toEqual(["SIGHUP", "SIGUSR1"]);
  advanceTo(60_000);
  expect(took("signal")).toHaveLength(2);
});

test("changes settle: the file is made when nothing has changed for a while, at the latest at its bound", () => {
  const { advanceTo, key, took } = play([file('{{ key "a" }}', { settleMs: 1_000, settleMsMax: 2_500 })]);
  key("a", "0");
  expect(took("make-file")).toHaveLength(1);
  for (const [at, value] of [
    [0, "1"],
    [900, "2"],
    [1_800, "3"],
    [2_400, "4"],
  ] as const) {
    advanceTo(at);
    key("a", value);
  }
  advanceTo(2_499);
  expect(took("make-file")).toHaveLength(1);
  advanceTo(2_500);
  expect(took("make-file")).toMatchObject([{ file: { text: "0" } }, { file: { text: "4" } }]);
});

test("a restart for new files is none of its policy's, and a neighbour that fails meanwhile ends the group", () => {
  const restart = file('{{ key "a" }}', { change: TEMPLATE_CHANGE_RESTART });
  const { key, exited, task, took } = play([restart], []);
  key("a", "1");
  expect([task(0).phase, task(1).phase]).toEqual(["running", "running"]);
  key("a", "2");
  expect(task(0).kill?.reason).toBe(StatusReason.REASON_TEMPLATE_CHANGED);
  exited(task(0).id, 0);
  expect(task(0)).toMatchObject({ attempt: 1, kill: undefined, restartWindow: undefined });
  expect(task(1).kill).toBeUndefined();
  key("a", "3");
  exited(task(1).id, 1);
  expect(task(1).phase).toBe("ended");
  expect(took("spawn").length).toBeGreaterThanOrEqual(2);
});

test("what changes back before its time changes nothing, and what has ended is told nothing", () => {
  const { advanceTo, key, exited, took, task, state } = play([
    file('{{ key "a" }}', { splayMs: 0, settleMs: 500, settleMsMax: 500 }),
  ]);
  key("a", "1");
  key("a", "2");
  key("a", "1");
  advanceTo(5_000);
  expect([took("make-file").length, took("signal").length]).toEqual([1, 0]);
  exited(task().id, 0);
  expect([state.catalog.wanted.size, state.catalog.known.size]).toEqual([0, 0]);
  key("a", "3");
  advanceTo(10_000);
  expect(took("make-file")).toHaveLength(1);
});

test("lines of an environment", () => {
  const text = '# c\n\n A=1\nexport B = "x \\"y\\" \\n\\$z" # c\nC=\'a # "b\'\nD=plain # c\nE=\n';
  expect(readEnvironmentLines(text)).toEqual({ A: "1", B: 'x "y" \n$z', C: 'a # "b', D: "plain", E: "" });
  expect(readEnvironmentLines("A=1\nnothing")).toBe("line 2 of the result is no NAME=VALUE");
  // No value stands in what is told.
  expect(readEnvironmentLines('A="s3cret')).toBe("line 1 of the result: the value of A is not closed");
  expect(readEnvironmentLines("1A=x")).toContain("no NAME=VALUE");
  expect(Object.getPrototypeOf(readEnvironmentLines("__proto__=x"))).toBeNull();
});

test("places of files, as tasks and hosts write them", () => {
  const inside = { NOMAD_ALLOC_DIR: "/alloc", NOMAD_TASK_DIR: "/local", NOMAD_SECRETS_DIR: "/secrets" };
  const place = (path: string) => placeOf(path, inside, "/data", "k.0");
  expect(place("local/./a//b")).toEqual({ folder: "task", names: ["local", "a", "b"] });
  expect(place("/secrets/a")).toEqual({ folder: "task", names: ["secrets", "a"] });
  expect(place("/alloc/a")).toEqual({ folder: "shared", names: ["a"] });
  expect(place("/data/tasks/k/0/work/x/y")).toEqual({ folder: "task", names: ["x", "y"] });
  for (const path of [
    "/data/tasks/k/1/work/x",
    "/etc/passwd",
    "a/../../b",
    "/local/../x",
    "",
    ".",
    "/local/",
    "secrets",
    "a/",
    "a\0b",
  ])
    expect(place(path), path).toEqual(expect.any(String));
});
