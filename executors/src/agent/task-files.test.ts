import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  emptyMessage,
  type HandlerOf,
  type Inlet,
  type MusterError,
  type Outlet,
  type Peer,
  type RequestOf,
} from "@muster/foundation";
import { type ExecResponse, type LogsResponse, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const peer: Peer = { address: "127.0.0.1", principal: "local" };

/** Takes in one stream of answers. */
class Answers<M> implements Outlet<M> {
  readonly messages: M[] = [];
  over: { error: MusterError | undefined } | undefined;
  isReady = true;
  #watchers: (() => void)[] = [];

  send(message: M): void {
    this.messages.push(message);
    for (const watcher of this.#watchers) watcher();
  }
  ready(): boolean {
    return this.isReady;
  }
  end(error?: MusterError): void {
    this.over = { error };
    for (const watcher of this.#watchers) watcher();
  }
  until(condition: () => boolean): Promise<void> {
    // Made here, so that it tells which wait it was.
    const error = new Error("nothing of that came within 10 s");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(error), 10_000);
      const look = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#watchers.push(look);
      look();
    });
  }
}

function logs(
  agent: Agent,
  fields: Partial<RequestOf<"Tasks.Logs">>,
): { answers: Answers<LogsResponse>; inlet: Inlet<never> } {
  const answers = new Answers<LogsResponse>();
  const handler = agent.handlers["Tasks.Logs"] as HandlerOf<"Tasks.Logs">;
  return { answers, inlet: handler({ ...emptyMessage("LogsRequest"), ...fields }, answers, peer) };
}

function text(answers: Answers<LogsResponse>): string {
  return Buffer.concat(answers.messages.map(({ data }) => data)).toString();
}

function shell(script: string) {
  return { command: "sh", arguments: ["-c", script] };
}

test("output is read after the end, whole or by its last lines, one stream or both", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "talk", spec: shell("seq 1 5; echo oops >&2") });
  await fixture.master.untilState("talk", TaskState.TASK_FINISHED);
  const both = logs(agent, { taskId: "talk" }).answers;
  await both.until(() => both.over !== undefined);
  expect(text(both)).toBe("1\n2\n3\n4\n5\noops\n");
  const tail = logs(agent, { taskId: "talk", stream: 1, tailLines: 2 }).answers;
  await tail.until(() => tail.over !== undefined);
  expect(text(tail)).toBe("4\n5\n");
  const none = logs(agent, { taskId: "nobody" }).answers;
  expect(none.over?.error?.kind).toBe("not-found");
});

test("case 60: a reader that follows loses and doubles no line over rotations, and ends with the task", async () => {
  const agent = await fixture.agent();
  const spec = {
    ...shell("for i in $(seq 1 40); do seq $((i*100-99)) $((i*100)); sleep 0.01; done"),
    logPolicy: { fileBytesMax: 4_000, filesMax: 50 },
  };
  fixture.master.launch({ taskId: "long", spec });
  await fixture.master.untilState("long", TaskState.TASK_RUNNING);
  const { answers } = logs(agent, { taskId: "long", stream: 1, follow: true });
  await answers.until(() => answers.over !== undefined);
  expect(text(answers)).toBe(Array.from({ length: 4_000 }, (_, i) => `${i + 1}\n`).join(""));
  expect(answers.over?.error).toBeUndefined();
});

test("case 59: 100 MB of output with the agent away leave at most the kept files, the last lines among them", async () => {
  const first = await fixture.agent();
  const spec = {
    ...shell("sleep 0.2; yes 0123456789012345678901234567890 | head -c 100000000; echo the end"),
    logPolicy: { fileBytesMax: 10_000_000, filesMax: 3 },
  };
  fixture.master.launch({ taskId: "loud", spec });
  await fixture.master.untilState("loud", TaskState.TASK_RUNNING);
  await fixture.stop(first, "leave");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const agent = await fixture.agent();
  await fixture.master.until(
    () => fixture.master.of("loud").some(({ state }) => state >= TaskState.TASK_FINISHED),
    "end",
    20_000,
  );
  const key = readdirSync(join(fixture.dataFolder, "tasks"))[0] ?? "";
  const folder = join(fixture.dataFolder, "tasks", key, "0", "logs");
  const kept = readdirSync(folder).filter((name) => name.startsWith("stdout"));
  expect(kept.length).toBeLessThanOrEqual(3);
  expect(kept.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBeLessThanOrEqual(30_000_000);
  expect(readdirSync(folder).filter((name) => name.startsWith("times.stdout")).length).toBe(kept.length);
  const { answers } = logs(agent, { taskId: "loud", stream: 1, tailLines: 1 });
  await answers.until(() => answers.over !== undefined);
  expect(text(answers)).toBe("the end\n");
});

test("what was written since a moment is found by the times that the shim has noted, and lines bear them", async () => {
  const agent = await fixture.agent();
  const begunAt = Date.now();
  fixture.master.launch({ taskId: "slow", spec: shell("printf 'early\\nhal'; sleep 1.6; printf 'f\\nlate\\n'") });
  await fixture.master.untilState("slow", TaskState.TASK_FINISHED);
  const endedAt = fixture.master.of("slow").at(-1)?.at ?? 0;
  const whole = logs(agent, { taskId: "slow", timestamps: true }).answers;
  await whole.until(() => whole.over !== undefined);
  expect(whole.messages.map(({ data }) => data.toString())).toEqual(["early\nhal", "f\nlate\n"]);
  const [first, second] = whole.messages.map(({ writtenAt }) => writtenAt);
  expect(first).toBeGreaterThanOrEqual(begunAt);
  expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1_500);
  // What is still in the pipe when the task ends is read right after.
  expect(second).toBeLessThanOrEqual(endedAt + 1_000);
  const lately = logs(agent, { taskId: "slow", since: endedAt - 200 }).answers;
  await lately.until(() => lately.over !== undefined);
  expect(text(lately)).toBe("half\nlate\n");
  const future = logs(agent, { taskId: "slow", since: endedAt + 60_000 }).answers;
  await future.until(() => future.over !== undefined);
  expect(text(future)).toBe("");
});

test("only lines that match come, of a stream as it grows too, and the last of them on request", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "much", spec: shell("seq 1 200000; sleep 0.3; printf 'end 7'") });
  await fixture.master.untilState("much", TaskState.TASK_RUNNING);
  const following = logs(agent, { taskId: "much", grep: "^(1|9)+$|end", follow: true }).answers;
  await following.until(() => following.over !== undefined);
  const wanted = Array.from({ length: 200_000 }, (_, i) => String(i + 1)).filter((line) => /^(1|9)+$/.test(line));
  expect(text(following)).toBe(`${wanted.join("\n")}\nend 7`);
  const last = logs(agent, { taskId: "much", grep: "99$", tailLines: 2 }).answers;
  await last.until(() => last.over !== undefined);
  expect(text(last)).toBe("199899\n199999\n");
  expect(logs(agent, { taskId: "much", grep: "(" }).answers.over?.error?.field).toBe("grep");
});

test("a follower that is overtaken by rotation is told that output is missing", async () => {
  const agent = await fixture.agent();
  const spec = { ...shell("echo first; sleep 0.5; seq 1 2000"), logPolicy: { fileBytesMax: 2_000, filesMax: 2 } };
  fixture.master.launch({ taskId: "fast", spec });
  await fixture.master.untilState("fast", TaskState.TASK_RUNNING);
  const { answers, inlet } = logs(agent, { taskId: "fast", stream: 1, follow: true });
  await answers.until(() => text(answers) === "first\n");
  answers.isReady = false;
  await fixture.master.untilState("fast", TaskState.TASK_FINISHED);
  answers.isReady = true;
  inlet.drained();
  await answers.until(() => answers.over !== undefined);
  expect(text(answers)).toMatch(/^first\n1\n[\s\S]*1999\n2000\n$/);
  expect(answers.messages.filter(({ gap }) => gap)).toHaveLength(1);
});

test("a reader that is behind is waited for", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "much", spec: shell("head -c 300000 /dev/zero") });
  await fixture.master.untilState("much", TaskState.TASK_FINISHED);
  const { answers, inlet } = logs(agent, { taskId: "much", stream: 1 });
  answers.isReady = false;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(answers.messages.length).toBeLessThanOrEqual(1);
  answers.isReady = true;
  inlet.drained();
  await answers.until(() => answers.over !== undefined);
  expect(text(answers).length).toBe(300_000);
});

function exec(agent: Agent, taskId: string, command: string[], size?: { columns: number; rows: number }) {
  const answers = new Answers<ExecResponse>();
  const inlet = (agent.handlers["Tasks.Exec"] as HandlerOf<"Tasks.Exec">)(answers, peer);
  const start = { ...emptyMessage("ExecStart"), taskId, command, tty: size !== undefined, size: size ?? null };
  inlet.receive({ ...emptyMessage("ExecRequest"), start });
  return { answers, inlet };
}

test("a command runs beside a task in its folder and environment, with input, output and exit code", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: { ...shell("echo here > mark; sleep 300"), environment: { A: "b" } } });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const { answers, inlet } = exec(agent, "host", ["sh", "-c", "cat; cat mark; echo $A >&2; exit 5"]);
  inlet.receive({ ...emptyMessage("ExecRequest"), stdin: Buffer.from("in\n"), stdinEnd: true });
  await answers.until(() => answers.over !== undefined);
  expect(Buffer.concat(answers.messages.map(({ stdout }) => stdout)).toString()).toBe("in\nhere\n");
  expect(Buffer.concat(answers.messages.map(({ stderr }) => stderr)).toString()).toBe("b\n");
  expect(answers.messages.at(-1)?.end).toMatchObject({ exitCode: 5, signal: "" });
});

test("case 62: a command beside a task ends with the task, and its caller is told", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: shell("sleep 300") });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const { answers } = exec(agent, "host", ["sh", "-c", "echo ready; exec sleep 300"]);
  await answers.until(() => output(answers).includes("ready"));
  fixture.master.kill("host", 100);
  await answers.until(() => answers.over !== undefined);
  expect(answers.messages.at(-1)?.end).toMatchObject({ exitCode: 137, signal: "SIGKILL" });
});

/** All that came on standard output up to now. */
function output(answers: Answers<ExecResponse>): string {
  return Buffer.concat(answers.messages.map(({ stdout }) => stdout)).toString();
}

function type(inlet: Inlet<RequestOf<"Tasks.Exec">>, keys: string): void {
  inlet.receive({ ...emptyMessage("ExecRequest"), stdin: Buffer.from(keys) });
}

test("case 61: a command with a terminal has one on every descriptor, of the size given and of each new one", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: shell("sleep 300") });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const script = "trap 'stty size' WINCH; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; read _; exit 3";
  const { answers, inlet } = exec(agent, "host", ["sh", "-c", script], { columns: 101, rows: 33 });
  await answers.until(() => output(answers).includes("33 101"));
  expect(output(answers)).toBe("all\r\n33 101\r\n");
  inlet.receive({ ...emptyMessage("ExecRequest"), resize: { columns: 90, rows: 20 } });
  await answers.until(() => output(answers).includes("20 90"));
  type(inlet, "\n");
  await answers.until(() => answers.over !== undefined);
  expect(answers.messages.at(-1)?.end).toMatchObject({ exitCode: 3, signal: "" });
});

test("Ctrl-C and Ctrl-D in a terminal reach what runs there, and output is whole to its last byte", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: shell("sleep 300") });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  // Not a shell: between two of its commands one may miss the signal.
  const sleeper = ["perl", "-e", "$| = 1; print qq(ready\\n); sleep 300"];
  const interrupted = exec(agent, "host", sleeper, { columns: 80, rows: 24 });
  await interrupted.answers.until(() => output(interrupted.answers).includes("ready"));
  type(interrupted.inlet, "\x03");
  await interrupted.answers.until(() => interrupted.answers.over !== undefined);
  expect(interrupted.answers.messages.at(-1)?.end).toMatchObject({ exitCode: 130, signal: "SIGINT" });
  const read = exec(agent, "host", ["sh", "-c", "stty -echo; echo ready; wc -l; seq 1 20000"], {
    columns: 80,
    rows: 24,
  });
  await read.answers.until(() => output(read.answers).includes("ready"));
  type(read.inlet, "one\ntwo\n\x04");
  await read.answers.until(() => read.answers.over !== undefined);
  expect(output(read.answers)).toMatch(/^ready\r\n2\r\n1\r\n2\r\n[\s\S]*\r\n19999\r\n20000\r\n$/);
});

test.runIf(process.getuid?.() === 0)(
  "a command has its task's account and rights, and so has its terminal",
  async () => {
    const agent = await fixture.agent();
    const script = "exec setpriv --no-new-privs --bounding-set=-sys_admin,-net_raw sleep 300";
    fixture.master.launch({ taskId: "rights", spec: shell(script) });
    fixture.master.launch({ taskId: "nobody", spec: { ...shell("sleep 300"), user: "nobody" } });
    await fixture.master.untilState("rights", TaskState.TASK_RUNNING);
    await fixture.master.untilState("nobody", TaskState.TASK_RUNNING);
    const pid = fixture.master.of("rights").find(({ state }) => state === TaskState.TASK_RUNNING)?.container?.pid ?? 0;
    await until(() => readFileSync(`/proc/${pid}/comm`, "latin1") === "sleep\n");
    const rightsOf = (path: string): string => `grep -E '^(CapBnd|NoNewPrivs|Uid|Gid):' ${path}`;
    const asked = `${rightsOf("/proc/self/status")}; echo; ${rightsOf(`/proc/${pid}/status`)}`;
    const rights = exec(agent, "rights", ["sh", "-c", asked]).answers;
    await rights.until(() => rights.over !== undefined);
    const [own, theirs] = output(rights).trim().split("\n\n");
    expect(own).toBe(theirs?.trim());
    expect(own).toMatch(/NoNewPrivs:\s1/);
    const nobody = exec(agent, "nobody", ["sh", "-c", "id -un; stat -c %U $(tty)"], { columns: 80, rows: 24 }).answers;
    await nobody.until(() => nobody.over !== undefined);
    expect(output(nobody)).toBe("nobody\r\nnobody\r\n");
  },
);

async function until(isSo: () => boolean): Promise<void> {
  for (const untilMs = Date.now() + 10_000; !isSo(); ) {
    if (Date.now() > untilMs) throw new Error("it did not become so within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("what a command leaves behind ends with it, and a command whose caller leaves ends at once", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: shell("sleep 300") });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const left = exec(agent, "host", ["sh", "-c", "(setsid sleep 301 &) ; sleep 302 & echo $!"]);
  await left.answers.until(() => left.answers.over !== undefined);
  expect(isLiving(Number(output(left.answers)))).toBe(false);
  const alone = exec(agent, "host", ["sh", "-c", "echo $$; exec sleep 303"], { columns: 80, rows: 24 });
  await alone.answers.until(() => output(alone.answers).includes("\n"));
  const pid = Number(output(alone.answers));
  expect(isLiving(pid)).toBe(true);
  alone.inlet.closed(undefined);
  await alone.answers.until(() => alone.answers.over !== undefined);
  expect(isLiving(pid)).toBe(false);
});

test("what can't be run, and what is no size, signal or variable, is refused with the field", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: shell("sleep 300") });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const missing = exec(agent, "host", ["no-such-program"]).answers;
  await missing.until(() => missing.over !== undefined);
  expect(missing.over?.error?.message).toContain("No such file or directory");
  expect(exec(agent, "host", []).answers.over?.error?.field).toBe("start.command");
  expect(exec(agent, "host", ["sh"], { columns: 70_000, rows: 1 }).answers.over?.error?.field).toBe("start.size");
  const { answers, inlet } = exec(agent, "host", ["sleep", "300"]);
  inlet.receive({ ...emptyMessage("ExecRequest"), signal: "SIGNOTHING" });
  expect(answers.over?.error?.field).toBe("signal");
});

function isLiving(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("Tasks.Kill ends a task like its framework would", async () => {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: shell("sleep 300") });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const kill = agent.handlers["Tasks.Kill"] as HandlerOf<"Tasks.Kill">;
  kill({ ...emptyMessage("KillRequest"), taskId: "host" }, peer, () => {});
  await fixture.master.untilState("host", TaskState.TASK_KILLED);
});

test("what was given to a dispatch is a file of the task before it starts, and a restart in place finds what the task made of it", async () => {
  const agent = await fixture.agent();
  const bytes = Buffer.from([0, 255, 10, 7]);
  const script =
    "od -An -tx1 local/in/rows; echo more > local/in/rows; test -e local/again || { touch local/again; exit 1; }";
  fixture.master.launch({
    taskId: "given",
    spec: {
      ...shell(script),
      dispatchPayload: { file: "in/rows", contentBase64: bytes.toString("base64") },
      restartPolicy: { ...emptyMessage("RestartPolicy"), attempts: 1, intervalMs: 60_000, delayMs: 1 },
    },
  });
  await fixture.master.untilState("given", TaskState.TASK_FINISHED);
  const { answers } = logs(agent, { taskId: "given" });
  await answers.until(() => answers.over !== undefined);
  expect(
    text(answers)
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual(["00 ff 0a 07", "6d 6f 72 65 0a", ""]);
});

test("a payload that would lie outside of the task's folder, or is too large, is refused with its launch", async () => {
  await fixture.agent();
  const cases = [
    { file: "../out", contentBase64: "" },
    { file: "/etc/out", contentBase64: "" },
    { file: "in", contentBase64: Buffer.alloc(16 * 1024 + 1).toString("base64") },
  ];
  for (const [index, dispatchPayload] of cases.entries()) {
    const taskId = `wrong-${index}`;
    fixture.master.launch({ taskId, spec: { ...shell("true"), dispatchPayload } });
    await fixture.master.untilState(taskId, TaskState.TASK_ERROR);
  }
});
