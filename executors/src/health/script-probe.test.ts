import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startTicks } from "../shim/processes.ts";
import type { ScriptTarget } from "../world/prober.ts";
import { childrenOf, Probing, processesWith, until } from "./probing.test.support.ts";

const probing = Probing.use(beforeEach, afterEach);

/** A process that stands for the task. */
function aTask(): { target: Omit<ScriptTarget, "command" | "arguments">; child: ChildProcess } {
  const child = spawn("sleep", ["300"], { stdio: "ignore" });
  probing.after(() => child.kill("SIGKILL"));
  const pid = child.pid as number;
  const environment = { PATH: process.env["PATH"] ?? "", GREETING: "hello" };
  const target = { type: "script", id: "g.0", pid, startTicks: startTicks(pid) as number, environment } as const;
  return { target, child };
}

const shell = (text: string) => ({ command: "sh", arguments: ["-c", text] });

test("a script check passes on exit code 0, and tells the code and what was printed", async () => {
  const { target } = aTask();
  const folder = probing.folder("g.0");
  const ask = (text: string) => probing.probe({ ...target, ...shell(text) });
  expect(await ask("exit 0")).toEqual({ passed: true, message: "exit code 0" });
  expect(await ask('echo "$GREETING from $(pwd)"')).toEqual({
    passed: true,
    message: `exit code 0: hello from ${folder}`,
  });
  expect(await ask("echo the queue is stuck >&2; exit 3")).toEqual({
    passed: false,
    message: "exit code 3: the queue is stuck",
  });
  expect(await ask("kill -KILL $$")).toEqual({ passed: false, message: "ended by SIGKILL" });
});

test("a script's environment and arguments are the target's alone, whatever is in them", async () => {
  const { target } = aTask();
  probing.folder("g.0");
  const odd = "a=b\n'\" $HOME ü";
  const environment = { ...target.environment, ODD: odd };
  const script = 'test "$1" = "$ODD" && test -z "$MUSTER_DATA_FOLDER" && printf %s "$ODD"';
  const answer = await probing.probe({ ...target, environment, command: "sh", arguments: ["-c", script, "-", odd] });
  expect(answer).toEqual({ passed: true, message: `exit code 0: ${odd}` });
});

test("a script that can't be run fails with the reason", async () => {
  const { target } = aTask();
  probing.folder("g.0");
  const answer = await probing.probe({ ...target, command: "no-such-program", arguments: [] });
  expect(answer.passed).toBe(false);
  expect(answer.message).toContain("no-such-program can't be run: No such file");
});

test("case 81: a script that hangs has failed at its timeout, and nothing that it has started is left", async () => {
  const { target } = aTask();
  probing.folder("g.0");
  const mark = `muster-hang-${process.pid}`;
  // Deaf to signals, with a child, and a grandchild that has left for a session of its own.
  const script = "trap '' TERM HUP; setsid sh -c 'sleep 300 & exit' & sleep 300 & sleep 300";
  const environment = { ...target.environment, MARK: mark };
  const answer = probing.probe({ ...target, environment, ...shell(script) }, 600);
  await until(() => processesWith(mark).length === 4, "its processes");
  expect(await answer).toEqual({ passed: false, message: "no answer within 600 ms" });
  const helper = probing.prober.helperPid as number;
  await until(() => processesWith(mark).length === 0 && childrenOf(helper).length === 0, "processes gone");
});

test("what a script leaves behind after its end is ended with it", async () => {
  const { target } = aTask();
  probing.folder("g.0");
  const mark = `muster-left-${process.pid}`;
  const environment = { ...target.environment, MARK: mark };
  const answer = await probing.probe({ ...target, environment, ...shell("setsid sleep 300 & echo done") });
  expect(answer).toEqual({ passed: true, message: "exit code 0: done" });
  expect(processesWith(mark)).toEqual([]);
});

test("a script is not run beside a task that has ended, nor beside a stranger with its pid", async () => {
  const { target, child } = aTask();
  const folder = probing.folder("g.0");
  writeFileSync(`${folder}/untouched`, "");
  const script = shell("rm untouched");
  const stranger = await probing.probe({ ...target, ...script, startTicks: target.startTicks - 1 });
  expect(stranger).toEqual({ passed: false, message: "the task has ended" });
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  expect((await probing.probe({ ...target, ...script })).message).toBe("the task has ended");
  expect((await probing.probe({ ...aTask().target, ...shell("ls") })).message).toContain("untouched");
});

test("many scripts at once share one helper, and none of them is mixed up", async () => {
  const { target } = aTask();
  probing.folder("g.0");
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, code) => probing.probe({ ...target, ...shell(`echo ${code}; exit ${code}`) })),
  );
  expect(answers.map(({ message }) => message)).toEqual(answers.map((_, code) => `exit code ${code}: ${code}`));
  await until(() => childrenOf(probing.prober.helperPid as number).length === 0, "no process left");
});
