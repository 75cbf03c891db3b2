import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { canonicalJson } from "./canonical.ts";
import { decodeJob } from "./decode-job.ts";
import { restartsInPlace, taskLifeOf } from "./life.ts";
import type { Job } from "./types.ts";

function text(group: string, type = "service"): string {
  return `job "web" {\n type = "${type}"\n group "g" {\n ${group}\n }\n}\n`;
}

function task(name: string, body = ""): string {
  return `task "${name}" {\n driver = "process"\n ${body}\n config {\n command = "serve"\n }\n }\n`;
}

function compiled(source: string): Job {
  const { job, diagnostics } = compileJob({ file: "j.hcl", text: source });
  if (!job) throw new Error(JSON.stringify(diagnostics));
  return decodeJob(canonicalJson(job));
}

function codes(source: string): string[] {
  return compileJob({ file: "j.hcl", text: source }).diagnostics.map(({ code }) => code);
}

function lives(source: string) {
  const job = compiled(source);
  return job.groups.flatMap((group) => group.tasks.map((one) => taskLifeOf(job.type, group, one)));
}

const init = 'lifecycle {\n hook = "prestart"\n }';
const proxy = 'lifecycle {\n hook = "prestart"\n sidecar = true\n }';

test("a written restart block is its agent's affair, a task's own before its group's; without one it is the framework's", () => {
  const [own, shared] = lives(
    text(`restart {\n delay = "3s"\n }\n${task("a", 'restart {\n attempts = 7\n mode = "delay"\n }')}${task("b")}`),
  );
  expect(own?.restart).toEqual({
    attempts: 7,
    intervalMs: 1_800_000,
    delayMs: 15_000,
    mode: "delay",
    afterSuccess: true,
  });
  expect(shared?.restart).toEqual({
    attempts: 2,
    intervalMs: 1_800_000,
    delayMs: 3_000,
    mode: "fail",
    afterSuccess: true,
  });
  expect(lives(text(task("a")))[0]?.restart).toBeUndefined();
  const absent = compiled(text(task("a"), "batch")).groups[0];
  expect(absent && restartsInPlace(absent.restart)).toBe(false);
  expect(lives(text(`restart {}\n${task("a")}`, "batch"))[0]?.restart).toMatchObject({
    attempts: 3,
    afterSuccess: false,
  });
});

test("hook, sidecar, leader and delays reach the agent; what comes to an end by itself is not started again after success", () => {
  const source = `shutdown_delay = "2s"\nrestart {}\n${task("main", 'leader = true\n shutdown_delay = "1s"')}${task("init", init)}${task("proxy", proxy)}`;
  const [main, before, beside] = lives(text(source));
  expect(main).toMatchObject({ leader: true, sidecar: false, shutdownDelayMs: 3_000 });
  expect(main?.hook).toBeUndefined();
  expect(before).toMatchObject({ hook: "prestart", sidecar: false, restart: { afterSuccess: false } });
  expect(beside).toMatchObject({ hook: "prestart", sidecar: true, restart: { afterSuccess: true } });
});

test("roles that contradict each other are refused at their place", () => {
  expect(codes(text(task("a", init)))).toEqual(["job/lifecycle"]);
  expect(codes(text(task("a") + task("b", `leader = true\n ${init}`)))).toEqual(["job/lifecycle"]);
  expect(codes(text(task("a", "leader = true") + task("b", "leader = true")))).toEqual(["job/leader"]);
  const after = 'lifecycle {\n hook = "poststop"\n sidecar = true\n }';
  expect(codes(text(task("a") + task("b", after)))).toEqual(["job/lifecycle"]);
  expect(codes(text(task("a") + task("b", 'lifecycle {\n hook = "before"\n }')))).toEqual(["schema/out-of-range"]);
});

test("a framework refuses from outside what a file could not say", () => {
  const job = compiled(text(task("a") + task("b", init)));
  const changed = (change: (tasks: Record<string, unknown>[]) => void): (() => Job) => {
    const copy = JSON.parse(canonicalJson(job)) as { groups: { tasks: Record<string, unknown>[] }[] };
    change(copy.groups[0]?.tasks ?? []);
    return () => decodeJob(JSON.stringify(copy));
  };
  expect(changed((tasks) => void tasks.shift())).toThrow(/groups\[0\]\.tasks: needs one without lifecycle/);
  expect(changed((tasks) => Object.assign(tasks[1] ?? {}, { leader: true }))).toThrow(/a leader has no lifecycle/);
  expect(changed((tasks) => Object.assign(tasks[1] ?? {}, { lifecycle: { hook: "x", sidecar: false } }))).toThrow(
    /hook/,
  );
});
