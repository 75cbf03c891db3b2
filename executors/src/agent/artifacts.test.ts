import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@muster/foundation";
import { type Artifact, RestartMode, StatusReason, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ArtifactLimits, artifactDefaults } from "../artifacts/limits.ts";
import { NodeArtifacts } from "../artifacts/node-artifacts.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const { TASK_FAILED, TASK_FINISHED, TASK_KILLED } = TaskState;
const fixture = AgentFixture.use(beforeEach, afterEach);
/** The machine may be busy. */
const patience = { timeout: 60_000 };
const timeoutMs = 120_000;

let served = "";
let server: Server;
let answers: Record<
  string,
  (count: number) => { status?: number; headers?: Record<string, string>; body?: Buffer } | "never"
> = {};
let asked: { readonly url: string; readonly headers: Record<string, unknown> }[] = [];
let base = "";

beforeEach(async () => {
  served = mkdtempSync(join(tmpdir(), "muster-served-"));
  chmodSync(served, 0o755);
  answers = {};
  asked = [];
  server = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push({ url, headers: request.headers });
    const answer = answers[url]?.(asked.filter((one) => one.url === url).length) ?? { status: 404 };
    if (answer === "never") return;
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(served, { recursive: true, force: true });
});

/** An agent that may ask the server of the test, and read its folder. */
function agent(limits: Partial<ArtifactLimits> = {}, allowedNetworks = ["127.0.0.0/8"]) {
  const settings = { folders: [served], allowedNetworks, limits: { ...artifactDefaults.limits, ...limits } };
  const { dataFolder, log } = fixture;
  return fixture.agent({}, { artifacts: new NodeArtifacts({ dataFolder, clock: systemClock, log, settings }) });
}

const plain: Artifact = {
  source: "",
  destination: "",
  options: {},
  headers: {},
  mode: "",
  insecure: false,
  chown: false,
};

function launch(taskId: string, script: string, ...artifacts: Partial<Artifact>[]): void {
  const spec = { command: "sh", arguments: ["-c", script], artifacts: artifacts.map((one) => ({ ...plain, ...one })) };
  fixture.master.launch({ taskId, spec });
}

async function end(taskId: string): Promise<TaskStatus> {
  const last = () => fixture.master.of(taskId).at(-1);
  await expect.poll(() => last()?.state, patience).toSatisfy((state) => (state ?? 0) >= TASK_FINISHED);
  return last() as TaskStatus;
}

/** A packed folder with a program, a file and a link. */
function archive(): Buffer {
  const folder = join(served, "app");
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "bin/tool"), "#!/bin/sh\necho tool\n", { mode: 0o755 });
  writeFileSync(join(folder, "note"), "note\n");
  symlinkSync("bin/tool", join(folder, "run"));
  return execFileSync("tar", ["-czf", "-", "-C", folder, "."]);
}

const sumOf = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

test(
  "an archive by http is unpacked into the task's folder before it starts, and its framework hears what it waits for",
  async () => {
    const body = archive();
    answers["/app.tar.gz?token=secret"] = () => ({ body });
    await agent();
    const options = { checksum: sumOf(body) };
    const source = `${base}/app.tar.gz?token=secret`;
    launch("one", "./local/app/run; cat local/app/note", {
      source,
      destination: "local/app",
      options,
      headers: { "X-Key": "k" },
    });
    expect(await end("one")).toMatchObject({ state: TASK_FINISHED });
    expect(fixture.outputOf("one")).toBe("tool\nnote\n");
    expect(asked[0]?.headers).toMatchObject({ "x-key": "k" });
    const said = fixture.master.of("one").map(({ message }) => message);
    expect(said).toContain(`fetching ${base}/app.tar.gz`);
    expect(said.find((text) => /^1 artifact here in [0-9.]+ s, 0\.0 MiB downloaded$/.test(text))).toBeDefined();
    expect(said.join()).not.toContain("secret");
    // What was under way is gone.
    expect(readdirSync(join(fixture.dataFolder, "artifacts/under-way"))).toEqual([]);
  },
  timeoutMs,
);

test(
  "what a checksum names is fetched once, and made sure of each time",
  async () => {
    const body = Buffer.from("the file");
    answers["/file"] = () => ({ body });
    await agent();
    const wish = { source: `${base}/file`, options: { checksum: sumOf(body) } };
    launch("first", "cat local/file", wish);
    expect((await end("first")).state).toBe(TASK_FINISHED);
    launch("second", "cat local/file", wish);
    expect((await end("second")).state).toBe(TASK_FINISHED);
    expect(fixture.outputOf("second")).toBe("the file");
    expect(asked).toHaveLength(1);
    const kept = join(
      fixture.dataFolder,
      "artifacts/downloads",
      readdirSync(join(fixture.dataFolder, "artifacts/downloads"))[0] ?? "",
    );
    writeFileSync(kept, "damaged!");
    launch("third", "cat local/file", wish);
    expect(await end("third")).toMatchObject({ state: TASK_FAILED, reason: StatusReason.REASON_ARTIFACT_FAILED });
    launch("fourth", "cat local/file", wish);
    expect((await end("fourth")).state).toBe(TASK_FINISHED);
    expect(asked).toHaveLength(2);
  },
  timeoutMs,
);

test(
  "a wrong checksum starts nothing, and says both sums",
  async () => {
    answers["/file"] = () => ({ body: Buffer.from("other") });
    await agent();
    launch("wrong", "true", { source: `${base}/file`, options: { checksum: `sha256:${"0".repeat(64)}` } });
    const { state, reason, message } = await end("wrong");
    expect([state, reason]).toEqual([TASK_FAILED, StatusReason.REASON_ARTIFACT_FAILED]);
    expect(message).toMatch(/^artifact http:.*\/file: its sha256 checksum is [0-9a-f]{64}, not 0{64} as the job says$/);
    expect(fixture.master.of("wrong").map((status) => status.state)).not.toContain(TaskState.TASK_RUNNING);
  },
  timeoutMs,
);

test(
  "an artifact that can't be had is tried again as the restart policy says",
  async () => {
    answers["/file"] = (count) => (count < 3 ? { status: 503 } : { body: Buffer.from("at last") });
    await agent();
    const restartPolicy = {
      attempts: 5,
      intervalMs: 60_000,
      delayMs: 10,
      mode: RestartMode.RESTART_MODE_FAIL,
      afterSuccess: false,
    };
    const artifacts = [{ ...plain, source: `${base}/file` }];
    fixture.master.launch({
      taskId: "late",
      spec: { command: "cat", arguments: ["local/file"], artifacts, restartPolicy },
    });
    expect(await end("late")).toMatchObject({ state: TASK_FINISHED, restartCount: 2 });
    const again = fixture.master.of("late").find(({ reason }) => reason === StatusReason.REASON_RESTARTING);
    expect(again?.message).toMatch(/answered 503 Service Unavailable; restart 1$/);
  },
  timeoutMs,
);

test(
  "what clouds serve to their machines, and what the host serves to itself, is not fetched by default",
  async () => {
    answers["/away"] = () => ({ status: 302, headers: { location: "http://169.254.169.254/latest/meta-data/" } });
    answers["/file"] = () => ({ body: Buffer.from("x") });
    const first = await agent();
    launch("cloud", "true", { source: "http://169.254.169.254/latest/meta-data/" });
    launch("redirect", "true", { source: `${base}/away` });
    launch("mapped", "true", { source: "http://[::ffff:169.254.169.254]/x" });
    for (const id of ["cloud", "redirect", "mapped"])
      expect((await end(id)).message).toMatch(
        /169\.254\.169\.254 is an address that artifacts do not come from.*--artifact-networks$/,
      );
    await fixture.stop(first, "kill");
    await agent({}, []);
    launch("own", "true", { source: `${base}/file` });
    expect((await end("own")).message).toMatch(/127\.0\.0\.1 is an address that artifacts do not come from/);
  },
  timeoutMs,
);

test(
  "files of the host come from allowed folders alone, links or not",
  async () => {
    await agent();
    writeFileSync(join(served, "note"), "here");
    symlinkSync("/etc/hostname", join(served, "sly"));
    mkdirSync(join(served, "tree/in"), { recursive: true });
    writeFileSync(join(served, "tree/in/x"), "deep");
    launch(
      "note",
      "cat local/note local/in/x",
      { source: join(served, "note") },
      { source: `${join(served, "tree")}` },
    );
    expect((await end("note")).state).toBe(TASK_FINISHED);
    expect(fixture.outputOf("note")).toBe("heredeep");
    launch("sly", "true", { source: join(served, "sly") });
    launch("etc", "true", { source: "/etc/hostname" });
    for (const id of ["sly", "etc"])
      expect((await end(id)).message).toMatch(/is in none of the folders that the agent's operator allows/);
    if (process.getuid?.() === 0) {
      writeFileSync(join(served, "secret"), "x", { mode: 0o600 });
      launch("secret", "true", { source: join(served, "secret") });
      expect((await end("secret")).message).toMatch(/may not be read by everybody on this agent: chmod o\+r/);
    }
  },
  timeoutMs,
);

test(
  "one commit of a repository is checked out, a part of it if so wanted",
  async () => {
    await agent();
    const repository = join(served, "r");
    const git = (...words: string[]): string =>
      execFileSync("git", ["-C", repository, "-c", "user.name=a", "-c", "user.email=a@b", ...words], {
        encoding: "utf8",
      });
    mkdirSync(join(repository, "docs"), { recursive: true });
    execFileSync("git", ["init", "--quiet", "-b", "main", repository]);
    writeFileSync(join(repository, "docs/a"), "first\n");
    git("add", ".");
    git("commit", "--quiet", "-m", "one");
    const first = git("rev-parse", "HEAD").trim();
    writeFileSync(join(repository, "docs/a"), "second\n");
    git("commit", "--quiet", "-am", "two");
    launch(
      "checked-out",
      "cat local/main/docs/a local/part/a local/short/docs/a; ls -A local/main",
      { source: `git::${repository}`, destination: "local/main" },
      { source: `git::file://${repository}//docs?ref=${first}`, destination: "local/part" },
      { source: `git::${repository}`, destination: "local/short", options: { ref: first.slice(0, 10) } },
    );
    expect(await end("checked-out")).toMatchObject({ state: TASK_FINISHED });
    expect(fixture.outputOf("checked-out")).toBe("second\nfirst\nfirst\ndocs\n");
    launch("no-ref", "true", { source: `git::${repository}?ref=nope` });
    expect((await end("no-ref")).message).toMatch(/the repository has no branch, tag or commit "nope"$/);
  },
  timeoutMs,
);

test(
  "nothing is put outside of the task's folders, and a link in the way is not followed",
  async () => {
    answers["/file"] = () => ({ body: Buffer.from("x") });
    await agent();
    fixture.master.launch({
      taskId: "out",
      spec: {
        command: "true",
        environment: { WHERE: "local/../../../x" },
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that the agent fills in
        artifacts: [{ ...plain, source: `${base}/file`, destination: '${env["WHERE"]}' }],
      },
    });
    expect((await end("out")).message).toMatch(/leads out of the task's folder$/);
    const outside = join(served, "outside");
    mkdirSync(outside);
    symlinkSync(outside, join(served, "sub"));
    const tar = join(served, "links.tar");
    execFileSync("tar", ["-cf", tar, "-C", served, "sub"]);
    launch("link", "true", { source: tar });
    expect((await end("link")).message).toMatch(/"sub" is a link that leads out of the artifact/);
    expect(readdirSync(outside)).toEqual([]);
  },
  timeoutMs,
);

test(
  "a download that is too large ends, whether or not it says so before",
  async () => {
    const body = Buffer.alloc(200_000);
    answers["/big"] = () => ({ body, headers: { "content-length": "200000" } });
    answers["/long"] = () => ({ body });
    await agent({ downloadBytesMax: 100_000 });
    launch("big", "true", { source: `${base}/big` });
    launch("long", "true", { source: `${base}/long` });
    expect((await end("long")).message).toMatch(/it has more than 100000 bytes \(download_bytes_max\)$/);
    expect((await end("big")).message).toMatch(/it has 200000 bytes, more than 100000 \(download_bytes_max\)$/);
  },
  timeoutMs,
);

test(
  "a server that never answers is given up in time",
  async () => {
    answers["/slow"] = () => "never";
    await agent({ timeoutMs: 3_000 });
    launch("slow", "true", { source: `${base}/slow` });
    expect((await end("slow")).message).toMatch(/they were not here within 3 s \(timeout_ms\)$/);
  },
  timeoutMs,
);

test(
  "a task that is killed while it waits ends at once, and so does what was fetching for it",
  async () => {
    answers["/slow"] = () => "never";
    await agent();
    launch("waits", "true", { source: `${base}/slow` });
    await expect.poll(() => asked.length, patience).toBe(1);
    fixture.master.kill("waits", 0);
    expect(await end("waits")).toMatchObject({ state: TASK_KILLED, reason: StatusReason.REASON_KILLED_DURING_LAUNCH });
    await expect.poll(() => connections(), patience).toBe(0);
  },
  timeoutMs,
);

function connections(): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
}

test(
  "an agent that ends in the middle leaves nothing half-done, and the next one begins anew",
  async () => {
    answers["/file"] = (count) => (count === 1 ? "never" : { body: Buffer.from("whole") });
    const first = await agent();
    launch("goes-on", "cat local/file", { source: `${base}/file` });
    await expect.poll(() => asked.length, patience).toBe(1);
    await fixture.stop(first, "leave");
    await agent();
    expect((await end("goes-on")).state).toBe(TASK_FINISHED);
    expect(fixture.outputOf("goes-on")).toBe("whole");
    expect(asked).toHaveLength(2);
  },
  timeoutMs,
);

test(
  "what is wrong with an artifact is said with its field, before anything is tried",
  async () => {
    await agent();
    launch("option", "true", { source: "http://e.com/a", options: { cheksum: "x" } });
    const { state, reason, message } = await end("option");
    expect([state, reason]).toEqual([TaskState.TASK_ERROR, StatusReason.REASON_TASK_INVALID]);
    expect(message).toMatch(/^spec\.artifacts\[0\]\.options: "cheksum" is not known; known are checksum/);
    expect(existsSync(join(fixture.dataFolder, "artifacts/under-way"))).toBe(false);
  },
  timeoutMs,
);
