// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show what agents fill in.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage, silentLog, systemClock } from "@muster/foundation";
import {
  type CatalogEntry,
  CatalogKind,
  type CatalogSubject,
  type SecretReference,
  StatusReason,
  TaskState,
  TemplateChange,
  type TemplateFile,
} from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostWorld } from "../host-world.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_STARTING, TASK_RUNNING, TASK_FAILED, TASK_FINISHED, TASK_KILLED, TASK_ERROR, TASK_KILLING } = TaskState;

const plain: TemplateFile = {
  ...emptyMessage("TemplateFile"),
  destination: "local/file",
  change: TemplateChange.TEMPLATE_CHANGE_NONE,
};

function file(text: string, settings: Partial<TemplateFile> = {}): TemplateFile {
  return { ...plain, text, ...settings };
}

/** Runs until it is told to end, and writes what it gets told. */
const server = 'trap "echo hup" HUP; trap "exit 0" TERM; echo begun; while :; do sleep 0.05; done';

function run(taskId: string, templates: TemplateFile[], script = server, secrets: SecretReference[] = []): void {
  fixture.master.launch({ taskId, spec: { command: "sh", arguments: ["-c", script], templates, secrets } });
}

const key = (name: string): CatalogSubject => ({ kind: CatalogKind.CATALOG_KIND_KEY, name });
const service = (name: string): CatalogSubject => ({ kind: CatalogKind.CATALOG_KIND_SERVICE, name });

function tellKey(name: string, value?: string): void {
  fixture.master.tell([{ subject: key(name), keys: value === undefined ? [] : [{ path: name, value }] }]);
}

function instances(...ports: number[]): CatalogEntry["instances"] {
  return ports.map((port) => ({
    taskId: `t-${port}`,
    jobName: "db",
    agentId: "a",
    agentName: "a",
    agentIp: "10.0.0.1",
    address: "10.0.0.1",
    port,
    tags: [],
    meta: {},
  }));
}

function untilFollowed(...subjects: CatalogSubject[]): Promise<void> {
  return fixture.master.until(
    () => JSON.stringify(fixture.master.followed) === JSON.stringify(subjects),
    `the agent follows ${subjects.map(({ name }) => name).join(", ")}`,
  );
}

/** The working folder of a test's only task. */
function work(): string {
  const tasks = join(fixture.dataFolder, "tasks");
  return join(tasks, readdirSync(tasks)[0] as string, "0", "work");
}

async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${what}: not within 10 s`);
}

const contents = (): string => readFileSync(join(work(), "local/file"), "utf8");
const statesOf = (taskId: string): TaskState[] => fixture.master.of(taskId).map(({ state }) => state);
const lastMessage = (taskId: string): string => fixture.master.of(taskId).at(-1)?.message ?? "";

test("files are there before the task starts, made from environment and meta, at their places and with their modes", async () => {
  await fixture.agent();
  const templates = [
    file('{{ env "MUSTER_TASK_NAME" }} {{ env "COLOR" }} {{ meta "owner" }} ${NOT_OURS}\n'),
    file("one", { destination: "${NOMAD_SECRETS_DIR}/deep/er/two", mode: 0o640 }),
    file("three", { destination: "${NOMAD_ALLOC_DIR}/three" }),
    file("[[ env `COLOR` ]]{{", { destination: "/local/four", leftDelimiter: "[[", rightDelimiter: "]]" }),
    file("# here\nFROM_FILE=\"a b\"\nexport COLOR='red'\n", { destination: "secrets/env", env: true }),
  ];
  const script =
    'cat local/file secrets/deep/er/two "$NOMAD_ALLOC_DIR/three" local/four; echo; echo "$FROM_FILE $COLOR $ALSO"';
  const environment = { COLOR: "blue", ALSO: '${env["COLOR"]}' };
  fixture.master.launch({
    taskId: "files",
    spec: { command: "sh", arguments: ["-c", script], templates, environment, meta: { owner: "ann" } },
  });
  await fixture.master.untilState("files", TASK_FINISHED);
  expect(fixture.outputOf("files")).toBe("files blue ann ${NOT_OURS}\nonethreeblue{{\na b red blue\n");
  expect(statSync(join(work(), "secrets/deep/er/two")).mode & 0o777).toBe(0o640);
  expect(statSync(join(work(), "local/file")).mode & 0o777).toBe(0o644);
  expect(statesOf("files")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
  expect(fixture.master.followed).toBeUndefined();
});

test("a task waits for services and keys, says for what, and starts when they are there", async () => {
  await fixture.agent();
  run(
    "waits",
    [file('{{ key "app/color" }} {{ range service "db" }}{{ .Address }}:{{ .Port }}{{ end }}')],
    "cat local/file",
  );
  await untilFollowed(key("app/color"), service("db"));
  tellKey("app/color");
  fixture.master.tell([{ subject: service("db") }]);
  await fixture.master.until(() => lastMessage("waits") !== "", "says what is missing");
  expect(lastMessage("waits")).toBe("waits for key app/color, service db");
  tellKey("app/color", "blue");
  fixture.master.tell([{ subject: service("db"), instances: instances(5432) }]);
  await fixture.master.untilState("waits", TASK_FINISHED);
  expect(fixture.outputOf("waits")).toBe("blue 10.0.0.1:5432");
  // Who has ended follows nothing.
  await fixture.master.until(() => fixture.master.followed === undefined, "nothing is followed");
});

test("a task that waits can be killed", async () => {
  await fixture.agent();
  run("stuck", [file('{{ key "app/color" }}')]);
  await untilFollowed(key("app/color"));
  fixture.master.kill("stuck");
  await fixture.master.untilState("stuck", TASK_KILLED);
  await fixture.master.until(() => fixture.master.followed === undefined, "nothing is followed");
});

test("several changes at once are one signal, and what does not change the file is none", async () => {
  await fixture.agent();
  const change = TemplateChange.TEMPLATE_CHANGE_SIGNAL;
  const settings = { change, splayMs: 200 };
  run("signalled", [
    file('{{ key "a" }}', { ...settings, destination: "local/a" }),
    file('{{ key "b" }}', { ...settings, destination: "local/b" }),
    file('{{ len (key "c") }}', settings),
  ]);
  await untilFollowed(key("a"), key("b"), key("c"));
  for (const name of ["a", "b", "c"]) tellKey(name, "1");
  await fixture.master.untilState("signalled", TASK_RUNNING);
  await eventually(() => fixture.outputOf("signalled") === "begun\n", "it has begun");
  tellKey("c", "2");
  tellKey("a", "2");
  tellKey("b", "2");
  await eventually(() => fixture.outputOf("signalled").includes("hup"), "it was told");
  expect([readFileSync(join(work(), "local/a"), "utf8"), readFileSync(join(work(), "local/b"), "utf8")]).toEqual([
    "2",
    "2",
  ]);
  // Another change of each: a second signal, and no third.
  tellKey("a", "3");
  tellKey("b", "3");
  await eventually(() => fixture.outputOf("signalled") === "begun\nhup\nhup\n", "it was told again");
  fixture.master.kill("signalled");
  await fixture.master.untilState("signalled", TASK_KILLED);
  expect(fixture.outputOf("signalled")).toBe("begun\nhup\nhup\n");
});

test("a change restarts a task in its place, with its new environment, and counts for no failure", async () => {
  await fixture.agent();
  const change = TemplateChange.TEMPLATE_CHANGE_RESTART;
  run("again", [file('COLOR={{ key "color" }}', { change, env: true })], `echo "$COLOR"; ${server}`);
  await untilFollowed(key("color"));
  tellKey("color", "red");
  await fixture.master.untilState("again", TASK_RUNNING);
  await eventually(() => fixture.outputOf("again") === "red\nbegun\n", "it has begun");
  tellKey("color", "blue");
  await fixture.master.until(
    () => statesOf("again").filter((state) => state === TASK_RUNNING).length === 2,
    "runs again",
  );
  await eventually(() => fixture.outputOf("again") === "red\nbegun\nblue\nbegun\n", "it has begun again");
  expect(statesOf("again")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_STARTING, TASK_RUNNING]);
  const [, , killing, starting] = fixture.master.of("again");
  expect([killing?.reason, starting?.reason]).toEqual([
    StatusReason.REASON_TEMPLATE_CHANGED,
    StatusReason.REASON_RESTARTING,
  ]);
});

test("a wish to end a task wins over its being started again", async () => {
  await fixture.agent();
  const change = TemplateChange.TEMPLATE_CHANGE_RESTART;
  run("ends", [file('{{ key "color" }}', { change })], "trap : TERM; echo begun; while :; do sleep 0.05; done");
  await untilFollowed(key("color"));
  tellKey("color", "red");
  await fixture.master.untilState("ends", TASK_RUNNING);
  await eventually(() => fixture.outputOf("ends") === "begun\n", "it has begun");
  tellKey("color", "blue");
  await fixture.master.untilState("ends", TASK_KILLING);
  fixture.master.kill("ends", 0);
  await fixture.master.untilState("ends", TASK_KILLED);
  expect(fixture.master.of("ends").at(-1)?.reason).toBe(StatusReason.REASON_KILLED_BY_FRAMEWORK);
});

test("a change runs a script beside the task; one that fails ends it if the job says so", async () => {
  await fixture.agent();
  const change = TemplateChange.TEMPLATE_CHANGE_SCRIPT;
  const script = {
    command: "sh",
    arguments: ["-c", "cat local/file >> local/seen; grep -q good local/file"],
    timeoutMs: 5_000,
    failsTask: true,
  };
  run("scripted", [file('{{ key "color" }}', { change, script })]);
  await untilFollowed(key("color"));
  tellKey("color", "first");
  await fixture.master.untilState("scripted", TASK_RUNNING);
  tellKey("color", "good");
  await eventually(() => existsSync(join(work(), "local/seen")), "the script has run");
  tellKey("color", "bad");
  await fixture.master.untilState("scripted", TASK_FAILED);
  expect(readFileSync(join(work(), "local/seen"), "utf8")).toBe("goodbad");
  const end = fixture.master.of("scripted").at(-1);
  expect([end?.reason, end?.message]).toEqual([
    StatusReason.REASON_TEMPLATE_FAILED,
    "the script of template local/file failed: exit code 1",
  ]);
});

test("a service whose last instance goes is written as it is; a key that goes leaves the file", async () => {
  await fixture.agent();
  run("shrinks", [file('{{ key "a" }}[{{ range service "db" }}{{ .Port }};{{ end }}]')]);
  await untilFollowed(key("a"), service("db"));
  tellKey("a", "x");
  fixture.master.tell([{ subject: service("db"), instances: instances(1, 2) }]);
  await fixture.master.untilState("shrinks", TASK_RUNNING);
  expect(contents()).toBe("x[1;2;]");
  // As long as agents are awaited after a restart of the master, whoever is not told may live on.
  fixture.master.tell([{ subject: service("db"), instances: instances(3) }], true);
  await eventually(() => contents() === "x[1;2;3;]", "new instances are there");
  fixture.master.tell([{ subject: service("db") }]);
  await eventually(() => contents() === "x[]", "none is left");
  tellKey("a");
  fixture.master.tell([{ subject: service("db"), instances: instances(7) }]);
  tellKey("a", "y");
  await eventually(() => contents() === "y[7;]", "the key is back");
});

test("changes are waited for until there are no more, but not for ever", async () => {
  await fixture.agent();
  run("settles", [file('{{ key "a" }}', { settleMs: 300, settleMsMax: 400 })]);
  await untilFollowed(key("a"));
  tellKey("a", "0");
  await fixture.master.untilState("settles", TASK_RUNNING);
  for (let count = 1; count <= 3; count++) tellKey("a", String(count));
  expect(contents()).toBe("0");
  await eventually(() => contents() === "3", "the last is written");
});

test("an agent that starts again goes on watching, and tells a task only of what is new to it", async () => {
  const first = await fixture.agent();
  const change = TemplateChange.TEMPLATE_CHANGE_SIGNAL;
  run("adopted", [file('{{ key "a" }}', { change })]);
  await untilFollowed(key("a"));
  tellKey("a", "1");
  await fixture.master.untilState("adopted", TASK_RUNNING);
  await eventually(() => fixture.outputOf("adopted") === "begun\n", "it has begun");
  await fixture.stop(first, "leave");
  const inode = statSync(join(work(), "local/file")).ino;
  const second = await fixture.agent();
  await untilFollowed(key("a"));
  tellKey("a", "1");
  tellKey("a", "2");
  await eventually(() => fixture.outputOf("adopted") === "begun\nhup\n", "it was told");
  expect(contents()).toBe("2");
  expect(statSync(join(work(), "local/file")).ino).not.toBe(inode);
  await fixture.stop(second, "leave");
  await fixture.agent();
  await untilFollowed(key("a"));
  tellKey("a", "3");
  await eventually(() => fixture.outputOf("adopted") === "begun\nhup\nhup\n", "it was told again");
});

test("an agent and a master that start again together take nothing away before all agents are back", async () => {
  const first = await fixture.agent();
  const change = TemplateChange.TEMPLATE_CHANGE_SIGNAL;
  run("careful", [file('{{ range service "db" }}{{ .Port }};{{ end }}', { change })]);
  await untilFollowed(service("db"));
  fixture.master.tell([{ subject: service("db"), instances: instances(1, 2) }]);
  await fixture.master.untilState("careful", TASK_RUNNING);
  await eventually(() => fixture.outputOf("careful") === "begun\n", "it has begun");
  await fixture.stop(first, "leave");
  await fixture.agent();
  await untilFollowed(service("db"));
  const path = join(work(), "local/file");
  fixture.master.tell([{ subject: service("db"), instances: instances(1) }], true);
  // By the time that another task has come and gone the news was taken in.
  run("marker", [], "sleep 0.3");
  await fixture.master.untilState("marker", TASK_FINISHED);
  expect([readFileSync(path, "utf8"), fixture.outputOf("careful")]).toEqual(["1;2;", "begun\n"]);
  fixture.master.tell([{ subject: service("db"), instances: instances(1, 2) }]);
  fixture.master.tell([{ subject: service("db"), instances: instances(1, 2, 3) }]);
  await eventually(() => fixture.outputOf("careful").includes("hup"), "it was told");
  expect([readFileSync(path, "utf8"), fixture.outputOf("careful")]).toEqual(["1;2;3;", "begun\nhup\n"]);
});

test("links that a task makes lead a file nowhere else", async () => {
  await fixture.agent();
  const elsewhere = mkdtempSync(join(tmpdir(), "muster-elsewhere-"));
  try {
    writeFileSync(join(elsewhere, "file"), "untouched");
    const templates = [file('{{ key "a" }}'), file('{{ key "a" }}', { destination: "local/sub/file" })];
    run("links", templates, `echo begun; ${server}`);
    await untilFollowed(key("a"));
    tellKey("a", "1");
    await fixture.master.untilState("links", TASK_RUNNING);
    rmSync(join(work(), "local/file"));
    rmSync(join(work(), "local/sub"), { recursive: true });
    symlinkSync(join(elsewhere, "file"), join(work(), "local/file"));
    symlinkSync(elsewhere, join(work(), "local/sub"));
    tellKey("a", "2");
    await eventually(() => contents() === "2", "the link itself was replaced");
    expect(lstatSync(join(work(), "local/file")).isSymbolicLink()).toBe(false);
    await eventually(() => fixture.warnings.length > 0, "the other is refused");
    expect(fixture.warnings.join()).toContain("links are not followed");
    expect([readdirSync(elsewhere), readFileSync(join(elsewhere, "file"), "utf8")]).toEqual([["file"], "untouched"]);
    expect(statesOf("links").at(-1)).toBe(TASK_RUNNING);
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});

test("what is wrong is told with its place, before anything runs", async () => {
  await fixture.agent();
  run("unread", [file("a\n{{ nosuch }}")]);
  run("upwards", [file("a", { destination: "local/../../file" })]);
  run("outside", [file("a", { destination: "/etc/passwd" })]);
  run("fails", [file("{{ divide 0 1 }}")]);
  run("unset", [file("a", { env: true })]);
  run("source", [file("", { source: "local/none" })]);
  for (const id of ["upwards", "outside", "fails", "unset", "source"]) await fixture.master.untilState(id, TASK_FAILED);
  await fixture.master.untilState("unread", TASK_ERROR);
  expect(["unread", "upwards", "outside", "fails", "unset", "source"].map(lastMessage)).toEqual([
    'spec.templates[0].text: line 2, column 4: no function "nosuch"',
    'template local/../../file: destination "local/../../file" leads out of the task\'s folder: write it without ".."',
    'template /etc/passwd: destination "/etc/passwd" is not below the task\'s folder: write local/NAME or secrets/NAME',
    "template local/file: line 1, column 4: divide: can't divide by 0",
    "template local/file: line 1 of the result is no NAME=VALUE",
    "template local/none: no file local/none",
  ]);
  expect(fixture.master.of("fails").at(-1)?.reason).toBe(StatusReason.REASON_TEMPLATE_FAILED);
});

test("secrets come from where the operator has set them out for the role, and stand in no record", async () => {
  const secretsFolder = mkdtempSync(join(tmpdir(), "muster-secrets-"));
  try {
    mkdirSync(join(secretsFolder, "web/db"), { recursive: true });
    mkdirSync(join(secretsFolder, "ops"));
    writeFileSync(join(secretsFolder, "web/db/password"), "from-a-file\n");
    writeFileSync(join(secretsFolder, "web/db/both.json"), '{"user":"me","password":"from-json"}');
    writeFileSync(join(secretsFolder, "ops/root"), "not-for-web");
    symlinkSync("../ops/root", join(secretsFolder, "web/link"));
    const { dataFolder } = fixture;
    const materials = { secretsFolder, secretVariables: { API_TOKEN: "from-a-variable" } };
    await fixture.agent({}, hostWorld({ dataFolder, clock: systemClock, log: silentLog, materials }));
    const secrets = [
      { name: "db", provider: "file", path: "db/password" },
      { name: "both", provider: "file", path: "db/both.json" },
      { name: "token", provider: "env", path: "API_TOKEN" },
      { name: "kept", provider: "key", path: "app/secret" },
    ];
    const environment = {
      DB: "${secret.db.value}",
      USER: "${secret.both.user}/${secret.both.password}",
      KEPT: "${secret.kept}",
    };
    const templates = [file('{{ secretText "token" }} {{ secretText "db" }}', { destination: "secrets/file" })];
    const script = 'echo "$DB $USER $KEPT ${secret.db.value}"; cat secrets/file';
    fixture.master.launch({
      taskId: "knows",
      spec: {
        command: "bash",
        arguments: ["-c", script.replace("${secret.db.value}", "$1"), "x", "${secret.db.value}"],
        environment,
        templates,
        secrets,
      },
    });
    await untilFollowed(key("app/secret"));
    tellKey("app/secret", "from-a-key");
    await fixture.master.untilState("knows", TASK_FINISHED);
    // Arguments stand in the process table: there a reference stays what it is.
    expect(fixture.outputOf("knows")).toBe(
      "from-a-file me/from-json from-a-key ${secret.db.value}\nfrom-a-variable from-a-file",
    );
    const kept = join(dataFolder, "tasks");
    for (const group of readdirSync(kept))
      for (const record of ["intent", "0/state"])
        expect(readFileSync(join(kept, group, record), "latin1")).not.toMatch(/from-a-(file|variable|key)|from-json/);
    expect(JSON.stringify(fixture.master.statuses) + fixture.warnings.join()).not.toMatch(/from-(a|json)/);
    const wrong = [
      { name: "x", provider: "file", path: "link" },
      { name: "x", provider: "file", path: "../ops/root" },
      { name: "x", provider: "file", path: "none" },
      { name: "x", provider: "env", path: "HOME" },
    ];
    for (const [index, secret] of wrong.entries()) run(`wrong-${index}`, [], "true", [secret]);
    await fixture.master.untilState("wrong-1", TASK_ERROR);
    for (const index of [0, 2, 3]) await fixture.master.untilState(`wrong-${index}`, TASK_FAILED);
    expect(wrong.map((_, index) => lastMessage(`wrong-${index}`))).toEqual([
      "secret x: web/link is no ordinary file",
      'spec.secrets[0].path: must not lead upwards by ".."',
      "secret x: no file web/none",
      "secret x: this agent gives no variable HOME to tasks; its operator names those that it does in secret_env",
    ]);
    run("no-key", [], "true", [{ name: "db", provider: "file", path: "db/password" }]);
    await fixture.master.untilState("no-key", TASK_FINISHED);
  } finally {
    rmSync(secretsFolder, { recursive: true });
  }
});
