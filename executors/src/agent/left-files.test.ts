import { chownSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type GrpcServer,
  grpcTransport,
  type Inlet,
  MusterError,
  type RequestOf,
  type ResponseOf,
  type StreamHandler,
  serveGrpc,
  silentLog,
} from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const { TASK_FINISHED, TASK_KILLED, TASK_RUNNING, TASK_STARTING } = TaskState;
const there = AgentFixture.use(beforeEach, afterEach);
const here = AgentFixture.use(beforeEach, afterEach);

const filesToken = "0123456789abcdefghijklmnopqrstuv";
const script = (text: string) => ({ command: "sh", arguments: ["-c", text] });
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Serves what an agent serves, as its daemon does, and tells where. */
function serve({ handlers }: Pick<Agent, "handlers">): Promise<string> {
  return new Promise((resolve, reject) => {
    const server: GrpcServer = serveGrpc(handlers, {
      address: "127.0.0.1:0",
      log: silentLog,
      listening: (result) => (result instanceof Error ? reject(result) : resolve(result.address)),
    });
    closers.push(() => server.close(() => {}));
  });
}

/** One agent has what a launch has left; the address of its server. */
async function left(text: string): Promise<string> {
  const address = await serve(await there.agent());
  there.master.launch({ taskId: "first", name: "main", spec: script(text), files: { filesToken } });
  await there.master.untilState("first", TASK_FINISHED);
  return address;
}

/** A successor on another agent, which says what it has found. */
function succeed(address: string, text: string, more: { token?: string; diskMiB?: number } = {}): void {
  const { token: predecessorToken = filesToken, diskMiB = 20 } = more;
  here.master.launch({
    ...{ taskId: "second", name: "main", spec: script(text), predecessorLaunchId: "launch-first" },
    resources: { cpuMillis: 10, memoryMiB: 10, diskMiB },
    files: { predecessorAddress: address, predecessorToken },
  });
}

const remarks = () =>
  here.master
    .of("second")
    .filter(({ state, message }) => state === TASK_STARTING && message !== "")
    .map(({ message }) => message);

/** What is left of a copy that was not finished. */
const arriving = () => {
  const tasks = join(here.dataFolder, "tasks");
  return readdirSync(tasks).filter((group) => existsSync(join(tasks, group, "arriving")));
};

test("a launch on another agent finds copies of what its predecessor has left: rights, empty and large files, no links", async () => {
  const address = await left(
    `cd local; mkdir -p a/b; head -c 1000000 /dev/zero | tr '\\0' x > a/b/large; : > empty; echo '#!/bin/sh' > a/run; chmod 750 a a/run
     ln -s /etc/passwd link; mkfifo pipe; echo shared > "$MUSTER_ALLOC_DIR/g"`,
  );
  await here.agent();
  succeed(
    address,
    `cat "$MUSTER_ALLOC_DIR/g"; cd local; find . -mindepth 1 -printf '%P %m %y %s\\n' | grep -v ' d ' | sort; stat -c %a a; tr -d x < a/b/large | wc -c`,
  );
  await here.master.untilState("second", TASK_FINISHED);
  expect(remarks()).toEqual([]);
  const lines = here.outputOf("second").trimEnd().split("\n");
  expect(lines).toEqual(["shared", "a/b/large 644 f 1000000", "a/run 750 f 10", "empty 644 f 0", "750", "0"]);
  expect(arriving()).toEqual([]);
}, 60_000);

test.runIf(process.getuid?.() === 0)(
  "owners are kept by number, no bit that gives another account's rights, and no second name of another's file",
  async () => {
    const outside = join(there.dataFolder, "outside");
    writeFileSync(outside, "of the host");
    chownSync(outside, 4_323, 4_323);
    const address = await left(
      `cd local; echo own > f; chown 4321:4322 f; cp /bin/true run; chmod 6755 run; ln ${outside} second; mkdir d; chown 4321 d; chmod 700 d`,
    );
    await here.agent();
    succeed(address, "cd local; stat -c '%n %u:%g %a' *");
    await here.master.untilState("second", TASK_FINISHED);
    expect(here.outputOf("second")).toBe("d 4321:0 700\nf 4321:4322 644\nrun 0:0 755\n");
  },
  60_000,
);

test("who names another token is given nothing; the launch begins with empty folders and says why", async () => {
  const address = await left("echo own > local/f");
  await here.agent();
  succeed(address, "ls local", { token: `${filesToken.slice(1)}x` });
  await here.master.untilState("second", TASK_FINISHED);
  expect(here.outputOf("second")).toBe("");
  expect(remarks()).toEqual([
    `begins with empty folders: the files of its predecessor can't be had from ${address}: token: is not that of launch launch-first`,
  ]);
}, 60_000);

test("files that are more than the group's disk do not come, not even in part", async () => {
  const address = await left("echo small > local/a; head -c 3000000 /dev/zero > local/b");
  await here.agent();
  succeed(address, "ls local", { diskMiB: 2 });
  await here.master.untilState("second", TASK_FINISHED);
  expect(here.outputOf("second")).toBe("");
  expect(remarks()[0]).toMatch(/they are more than the 2 MiB of disk that the group has$/);
  expect(arriving()).toEqual([]);
}, 60_000);

test("an agent that is killed while files come takes them in anew when it is back", async () => {
  const giver = await there.agent();
  let isStalled = true;
  let halfway = (): void => {};
  const isHalfway = new Promise<void>((resolve) => {
    halfway = resolve;
  });
  const take = giver.handlers["LeftFiles.Take"] as StreamHandler<"LeftFiles.Take">;
  const stalling: StreamHandler<"LeftFiles.Take"> = (outlet, peer) => {
    const inlet = take(outlet, peer);
    let count = 0;
    // The second is asked for when the first has been written.
    return { ...inlet, receive: (request) => (isStalled && ++count > 1 ? halfway() : inlet.receive(request)) };
  };
  const address = await serve({ handlers: { ...giver.handlers, "LeftFiles.Take": stalling } });
  const text = "for i in 1 2 3 4 5 6 7 8; do head -c 250000 /dev/zero > local/$i; done";
  there.master.launch({ taskId: "first", name: "main", spec: script(text), files: { filesToken } });
  await there.master.untilState("first", TASK_FINISHED);
  const agent = await here.agent();
  succeed(address, "ls local | wc -l; cat local/* | wc -c");
  await isHalfway;
  expect(arriving()).toHaveLength(1);
  await here.stop(agent, "leave");
  isStalled = false;
  await here.agent();
  await here.master.untilState("second", TASK_FINISHED);
  expect(here.outputOf("second")).toBe("8\n2000000\n");
  expect(remarks()).toEqual([]);
  expect(arriving()).toEqual([]);
}, 60_000);

test("an agent that gives files to as many as it may, or is not up yet, is asked again", async () => {
  const giver = await there.agent();
  const take = giver.handlers["LeftFiles.Take"] as StreamHandler<"LeftFiles.Take">;
  const refusals = [
    new MusterError("too-many", "16 are being given files", { retryAfterMs: 1_000 }),
    new MusterError("unavailable", "the agent is beginning"),
  ];
  const busy: StreamHandler<"LeftFiles.Take"> = (outlet, peer) => {
    const refusal = refusals.shift();
    if (!refusal) return take(outlet, peer);
    return { receive: () => outlet.end(refusal), drained: () => {}, closed: () => {} };
  };
  const address = await serve({ handlers: { "LeftFiles.Take": busy } });
  there.master.launch({ taskId: "first", name: "main", spec: script("echo own > local/f"), files: { filesToken } });
  await there.master.untilState("first", TASK_FINISHED);
  await here.agent();
  succeed(address, "cat local/f");
  await here.master.untilState("second", TASK_FINISHED);
  expect(here.outputOf("second")).toBe("own\n");
  expect(refusals).toEqual([]);
  expect(remarks()).toEqual([]);
}, 60_000);

test("a launch that is ended while it waits for an agent out of reach does not begin", async () => {
  await here.agent();
  succeed("127.0.0.1:1", "echo begun");
  await here.master.until(() => here.master.of("second").length > 0, "a word of it");
  here.master.kill("second");
  await here.master.untilState("second", TASK_KILLED);
}, 60_000);

/** Asks an agent for files; what comes until the end, and how it ended. */
function ask(address: string, ...requests: Partial<RequestOf<"LeftFiles.Take">>[]) {
  const transport = grpcTransport();
  closers.push(() => transport.close());
  return new Promise<{ paths: string[]; error: MusterError | undefined }>((resolve) => {
    const paths: string[] = [];
    const inlet: Inlet<ResponseOf<"LeftFiles.Take">> = {
      receive: ({ pieces }) => {
        for (const { path } of pieces) paths.push(path);
        outlet.send({ frameworkId: "", launchId: "", token: "" });
      },
      drained: () => {},
      closed: (error) => resolve({ paths, error }),
    };
    const outlet = transport.open("LeftFiles.Take", address, inlet);
    for (const request of requests) outlet.send({ frameworkId: "framework-1", launchId: "", token: "", ...request });
  });
}

test("the call is refused field by field: no launch, an unknown one, a wrong token, one that lives, one without a token", async () => {
  const address = await left("echo own > local/f");
  there.master.launch({ taskId: "lives", spec: script("sleep 100"), files: { filesToken } });
  await there.master.untilState("lives", TASK_RUNNING);
  there.master.launch({ taskId: "plain", spec: script(":") });
  await there.master.untilState("plain", TASK_FINISHED);
  const token = filesToken;
  expect((await ask(address, { token })).error).toMatchObject({ kind: "invalid", field: "launch_id" });
  expect((await ask(address, { launchId: "launch-first" })).error).toMatchObject({ kind: "invalid", field: "token" });
  expect((await ask(address, { launchId: "launch-none", token })).error).toMatchObject({ kind: "not-found" });
  const wrong = await ask(address, { launchId: "launch-first", token: "x".repeat(32) });
  expect(wrong).toMatchObject({ paths: [], error: { kind: "forbidden", field: "token" } });
  expect((await ask(address, { launchId: "launch-plain", token })).error).toMatchObject({ kind: "forbidden" });
  expect((await ask(address, { launchId: "launch-lives", token })).error).toMatchObject({ kind: "wrong-state" });
  const hasty = await ask(address, { launchId: "launch-first", token }, {});
  expect(hasty.error).toMatchObject({ kind: "invalid" });
  expect(await ask(address, { launchId: "launch-first", token })).toEqual({ paths: ["", "", "f"], error: undefined });
}, 60_000);
