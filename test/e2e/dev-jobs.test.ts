import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askSrv, DevCluster, type Finished, isOpen, type Ready, until } from "./dev-cluster.ts";
import { interrupted } from "./running.ts";

const cluster = new DevCluster(2_300);
let ready: Ready;

interface Shape {
  readonly type?: string;
  readonly count?: number;
  readonly memory?: number;
  readonly script: string;
  /** More of the group. */
  readonly group?: string;
  /** More of the job. */
  readonly job?: string;
}

/** Writes a jobspec of one group of shells, and gives its file's name. */
function write(
  name: string,
  { type = "service", count = 1, memory = 32, script, group = "", job = "" }: Shape,
): string {
  const text = `job "${name}" {
  type = "${type}"
  ${job}
  group "g" {
    count = ${count}
    ${group}
    task "t" {
      driver = "process"
      config {
        command = "sh"
        args    = ["-c", ${JSON.stringify(script)}]
      }
      resources {
        cpu    = 10
        memory = ${memory}
      }
    }
  }
}
`;
  writeFileSync(join(cluster.folder, `${name}.hcl`), text);
  return `${name}.hcl`;
}

/** A job that is healthy when this returns. */
async function run(file: string): Promise<void> {
  const { code, stdout, stderr } = await cluster.muster("job", "run", "--timeout", "60s", file);
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stdout}${stderr}`);
}

const dataOf = ({ stdout }: Finished) => (JSON.parse(stdout) as { data: Record<string, unknown> }).data;

beforeAll(async () => {
  ready = await cluster.start("--no-example");
});
afterAll(() => cluster.remove());

test("case 4: the file that init writes runs unchanged", async () => {
  expect(await cluster.muster("job", "init", "fresh")).toMatchObject({ code: 0 });
  const before = readFileSync(join(cluster.folder, "fresh.hcl"), "utf8");
  expect(await cluster.muster("job", "run", "--timeout", "60s", "fresh.hcl")).toMatchObject({ code: 0 });
  const { status, healthy, desired, instances } = await cluster.job("fresh");
  expect({ status, healthy, desired }).toEqual({ status: "running", healthy: 3, desired: 3 });
  for (const { ports } of instances) {
    const response = await fetch(`http://127.0.0.1:${ports["http"]}/`);
    expect(response.status).toBe(200);
  }
  expect(readFileSync(join(cluster.folder, "fresh.hcl"), "utf8")).toBe(before);
});

test("case 5: a first job is healthy within ten seconds", async () => {
  await cluster.muster("job", "init", "first");
  const beganMs = performance.now();
  await run("first.hcl");
  expect(performance.now() - beganMs).toBeLessThan(10_000);
  expect(await cluster.job("first")).toMatchObject({ status: "running", healthy: 3 });
});

test("case 10: plan changes nothing", async () => {
  const file = write("planned", { script: "exec sleep 300" });
  await run(file);
  // What moves by itself is left out: other jobs, and a version's word that it is stable.
  const look = async () => {
    const { version, desired, instances } = await cluster.job("planned");
    const versions = await cluster.json<{ version: number }[]>("job", "history", "planned");
    const tasks = await cluster.json<{ id: string }[]>("task", "list", "--all");
    return {
      version,
      desired,
      instances: instances.map(({ id, pid }) => ({ id, pid })),
      history: versions.map((each) => each.version),
      tasks: tasks.map(({ id }) => id).filter((id) => id.startsWith("planned.") || id.startsWith("unborn.")),
    };
  };
  const before = await look();
  expect(before).toMatchObject({ history: [1], tasks: [expect.stringMatching(/^planned\./)] });
  write("planned", { count: 3, script: "exec sleep 301" });
  expect(await cluster.muster("job", "plan", file)).toMatchObject({ code: 1 });
  expect(await cluster.muster("job", "plan", write("unborn", { script: "exec sleep 300" }))).toMatchObject({ code: 1 });
  expect(await look()).toEqual(before);
  expect(await cluster.muster("job", "status", "unborn")).toMatchObject({ code: 1 });
});

test("case 11: plan ends with 0 if nothing changes, 1 if something does, 255 if that can't be found out", async () => {
  const file = write("coded", { script: "exec sleep 300" });
  const plan = (): Promise<Finished> => cluster.muster("job", "plan", file);
  expect(await plan()).toMatchObject({ code: 1, stdout: expect.stringContaining("new") });
  await run(file);
  expect(await plan()).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing changes") });
  write("coded", { count: 2, script: "exec sleep 300" });
  expect(await plan()).toMatchObject({ code: 1, stdout: expect.stringContaining("v1 -> v2") });
  write("coded", { count: 2, script: "exec sleep 300", group: "cout = 1" });
  expect(await plan()).toMatchObject({ code: 255, stderr: expect.stringContaining('"cout"') });
  write("coded", { script: "exec sleep 300" });
  const nobody = await cluster.muster("job", "plan", "--address", "127.0.0.1:1", file);
  expect(nobody).toMatchObject({ code: 255, stderr: expect.stringContaining("no leader") });
});

test("case 20: Ctrl-C ends the waiting of run, and the job goes on", async () => {
  // A check that never passes: run would wait for minutes.
  const group = `network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type     = "tcp"
        interval = "1s"
        timeout  = "1s"
      }
    }`;
  const file = write("waited", { script: "exec sleep 300", group });
  const waiting = cluster.spawn("job", "run", file);
  await until("its task runs", 20_000, async () => (await running("waited")) === 1);
  const { code, stderr } = await interrupted(waiting, "SIGINT");
  expect(code).toBe(130);
  expect(stderr).toContain("waited goes on");
  expect(await running("waited")).toBe(1);
});

async function running(name: string): Promise<number> {
  const { code, stdout } = await cluster.muster("job", "status", name, "--json");
  return code === 0 ? ((JSON.parse(stdout) as { data: { running: number } }).data.running ?? 0) : 0;
}

test("case 21: logs are read after the end", async () => {
  await run(write("brief", { type: "batch", script: "echo first; echo oops >&2; echo last" }));
  const { code, stdout } = await cluster.muster("job", "logs", "brief");
  expect(code).toBe(0);
  for (const line of ["first", "oops", "last"]) expect(stdout.split("\n")).toContain(line);
  expect(await cluster.muster("job", "logs", "--stdout", "-n", "1", "brief")).toMatchObject({ stdout: "last\n" });
});

test("case 22: each line of several instances begins with the instance's name", async () => {
  await run(write("chatty", { count: 3, script: "echo one $MUSTER_ALLOC_INDEX; echo two; sleep 300" }));
  await until("all have written", 10_000, async () => {
    const { stdout } = await cluster.muster("job", "logs", "chatty");
    return stdout.trimEnd().split("\n").length === 6;
  });
  const { stdout } = await cluster.muster("job", "logs", "chatty");
  const lines = stdout.trimEnd().split("\n");
  const prefixes = lines.map((line) => /^(chatty\.g\.\d) \| (one|two)/.exec(line)?.[1]);
  expect([...prefixes].sort()).toEqual([0, 0, 1, 1, 2, 2].map((index) => `chatty.g.${index}`));
  const alone = await cluster.muster("job", "logs", "--instance", "chatty.g.1", "chatty");
  expect(alone.stdout).not.toContain("|");
});

const commands = [
  ...readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8").matchAll(/^###? muster (.+)$/gm),
];

test("case 26: every command prints JSON with --json, of its own schema, whether it succeeds or not", async () => {
  await run(write("shown", { script: "echo hello; exec sleep 300" }));
  const periodic = { type: "batch", script: "true", job: 'periodic { cron = "0 4 * * *" }' };
  await run(write("nightly", periodic));
  await run(write("etl", { type: "batch", script: "true", job: "parameterized {\n}" }));
  const canary = { script: "exec sleep 300", group: `update {\n canary = 1\n min_healthy_time = "0s"\n }` };
  await run(write("canaried", canary));
  await run(write("canaried", { ...canary, script: "exec sleep 301" }));
  await cluster.muster("job", "run", "--detach", write("huge", { script: "true", memory: 900_000_000 }));
  const reserved = await cluster.muster("reservation", "create", "agent-1", "eng", "cpu=0.1,disk=10", "--json");
  const { id: reservation } = JSON.parse(reserved.stdout).data as { id: string };
  for (const path of ["app/size", "app/gone"]) await cluster.muster("key", "set", path, "1");
  await cluster.muster("volume", "create", "agent-1", "v", "--size", "1", "--role", "eng");
  const file = "shown.hcl";
  const { instances } = await cluster.job("shown");
  const task = instances[0]?.id ?? "";
  const uses: Record<string, readonly string[]> = {
    "job init": ["json"],
    "job validate": [file],
    "job fmt": [file],
    "job convert": [file],
    "job schema": [],
    "job complete": [file],
    "job plan": [file],
    "job run": [file],
    "job status": ["shown"],
    "job list": [],
    "job scale": ["shown=1"],
    "job rebalance": ["--plan"],
    "job stop": ["shown", "--yes"],
    "job history": ["shown"],
    "job deployments": ["shown"],
    "job promote": ["canaried"],
    "job pause": ["huge"],
    "job resume": ["huge"],
    "job cancel": ["huge"],
    "job revert": ["shown", "1", "--detach"],
    "job logs": ["shown"],
    "job exec": ["shown", "--", "echo", "hi"],
    "job force": ["nightly"],
    "job dispatch": ["etl"],
    "job runs": ["nightly"],
    "agent list": [],
    "agent status": ["agent-1"],
    "agent deactivate": ["agent-1", "--dry-run"],
    "agent reactivate": ["agent-1", "--dry-run"],
    "agent drain": ["agent-1", "--dry-run"],
    "agent gone": ["agent-1", "--dry-run"],
    "framework list": [],
    "framework teardown": ["cron", "--dry-run"],
    "maintenance list": [],
    "maintenance add": ["agent-1", "--in", "1h", "--dry-run"],
    "maintenance cancel": ["agent-1", "--dry-run"],
    "network list": [],
    "role list": [],
    "role explain": ["default"],
    "role quota": ["default", "--limit", "cpu=1000", "--force", "--dry-run"],
    "role weight": ["default", "2", "--dry-run"],
    "reservation list": [],
    "reservation create": ["agent-1", "eng", "cpu=0.1,disk=10", "--dry-run"],
    "reservation delete": [reservation],
    "volume list": [],
    "volume create": ["agent-1", "w", "--size", "1", "--role", "eng", "--dry-run"],
    "volume delete": ["agent-1", "v", "--yes"],
    "volume resize": ["agent-1", "v", "--size", "2"],
    "key set": ["app/color", "blue"],
    "key list": [],
    "key get": ["app/size"],
    "key delete": ["app/gone", "--yes"],
    "task list": [],
    "task status": [task],
    "task logs": [task],
    "task files": [task],
    "task stats": [task],
    "task exec": [task, "--", "echo", "hi"],
    "task kill": [task, "--yes"],
    "operator check": [],
    "operator snapshot": [],
    offers: [],
    dns: ["agent-1.agents.muster"],
    version: [],
    // These would go on for ever, or are refused since their place is taken: that is told in the same form.
    dev: ["--data-dir", cluster.data],
    "daemon master": ["--log-level", "loud"],
    "daemon agent": ["--log-level", "loud"],
    "daemon services": ["--log-level", "loud"],
    "daemon cron": ["--log-level", "loud"],
    "daemon dns": ["--log-level", "loud"],
    "daemon edge": ["--log-level", "loud"],
  };
  const schemas = new Set<string>();
  const paths = commands.map(([, path]) => path ?? "");
  expect(paths.length).toBeGreaterThan(20);
  const use = async (path: string): Promise<void> => {
    const args = uses[path];
    if (args === undefined) throw new Error(`say here how ${path} is used`);
    const { stdout, stderr } = await cluster.muster(...path.split(" "), "--json", ...args);
    expect(stdout, `${path}: ${stderr}`).not.toBe("");
    for (const line of stdout.trimEnd().split("\n")) {
      const { schema, data, warnings, error } = JSON.parse(line) as Record<string, unknown>;
      expect(schema, path).toMatch(/^muster(\.[a-z]+)+\/\d+$/);
      expect(Array.isArray(warnings), path).toBe(true);
      expect(error === undefined ? data : error, path).toBeTruthy();
      if (!path.startsWith("daemon") && path !== "dev") expect(error, path).toBeUndefined();
      schemas.add(`${schema}`);
    }
  };
  // Some at a time; what ends the task, the job, the volume or its reservation comes last.
  const last = ["task kill", "job stop", "volume delete", "reservation delete"];
  const first = paths.filter((path) => !last.includes(path));
  while (first.length > 0) await Promise.all(first.splice(0, 6).map(use));
  for (const path of last) await use(path);
  expect(schemas.size).toBe(paths.length);
}, 600_000);

test("a parameterized job is dispatched with a payload and metadata, and each dispatch is a job to look at", async () => {
  const file = join(cluster.folder, "load.hcl");
  writeFileSync(
    file,
    `job "load" {
  type = "batch"
  parameterized {
    payload       = "required"
    meta_required = ["day"]
  }
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "sh"
        args    = ["-c", "cat local/rows.txt; echo $MUSTER_META_day of $NOMAD_JOB_PARENT_ID"]
      }
      dispatch_payload {
        file = "rows.txt"
      }
      resources {
        cpu    = 10
        memory = 32
      }
    }
  }
}
`,
  );
  writeFileSync(join(cluster.folder, "rows.txt"), "one row\n");
  await run("load.hcl");
  const refused = await cluster.muster("job", "dispatch", "load", "rows.txt");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("must give day")]);
  const args = ["-m", "day=monday", "--idempotency-token", "monday", "load", "rows.txt", "--json"];
  const done = await cluster.muster("job", "dispatch", "--wait", "--timeout", "60s", ...args);
  expect(done.code, `${done.stdout}${done.stderr}`).toBe(0);
  const { name } = dataOf(done);
  expect(name).toMatch(/^load\/dispatch-\d+-/);
  const { stdout: logs } = await cluster.muster("job", "logs", `${name}`);
  expect(logs).toBe("one row\nmonday of load\n");
  expect(dataOf(await cluster.muster("job", "dispatch", ...args))).toMatchObject({ name, created: false });
  const status = dataOf(await cluster.muster("job", "status", "load", "--json"));
  expect(status["dispatches"]).toMatchObject([{ name, status: "complete", parent: "load" }]);
  const shown = await cluster.muster("job", "status", "load");
  expect(shown.stdout).toContain(`${name}`);
  const runs = dataOf(await cluster.muster("job", "runs", "load", "--json")) as unknown as {
    id: string;
    kind: string;
  }[];
  expect(runs).toMatchObject([{ id: name, kind: "dispatched" }]);
  const listed = async (...more: string[]) =>
    (dataOf(await cluster.muster("job", "list", "--json", ...more)) as unknown as { name: string }[]).map(
      (one) => one.name,
    );
  expect(await listed()).not.toContain(name);
  expect(await listed("--dispatches")).toContain(name);
  const long = await cluster.muster(
    "job",
    "dispatch",
    "-m",
    "day=tuesday",
    "load",
    "rows.txt",
    "--id-prefix",
    "second",
    "--json",
  );
  const second = `${dataOf(long)["name"]}`;
  expect(second).toMatch(/^load\/dispatch-second-/);
  const gone = await cluster.muster("job", "stop", "--yes", "--purge", "--timeout", "60s", "load");
  expect(gone.code, gone.stderr).toBe(0);
  expect((await cluster.muster("job", "status", second)).code).toBe(1);
});

test("case 34: a beginning that only one job has is enough; one that several have is told with all of them", async () => {
  for (const name of ["alpha-one", "alpha-two"]) await run(write(name, { script: "exec sleep 300" }));
  const short = await cluster.muster("job", "status", "alpha-o", "--json");
  expect(dataOf(short)).toMatchObject({ name: "alpha-one" });
  const several = await cluster.muster("job", "status", "alpha");
  expect(several.code).toBe(1);
  expect(several.stderr).toContain("alpha-one, alpha-two");
  const agent = await cluster.muster("agent", "status", "agent", "--json");
  expect(agent.code, agent.stdout).toBe(0);
});

test("case 37: a second after a task was killed DNS names it no more", async () => {
  const srv = "_http._mortal._tcp.services.muster";
  const script =
    "exec node -e 'require(\"node:http\").createServer((_, r) => r.end()).listen(process.env.MUSTER_PORT_http)'";
  const group = `network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type     = "http"
        path     = "/"
        interval = "5s"
        timeout  = "2s"
      }
    }`;
  await run(write("mortal", { count: 2, script, group }));
  const { instances } = await cluster.job("mortal");
  const ports = instances.map((each) => each.ports["http"] ?? 0);
  expect((await askSrv(ready.dns.address, srv)).ports).toEqual([...ports].sort((a, b) => a - b));
  const beganMs = performance.now();
  process.kill(instances[0]?.pid ?? 0, "SIGKILL");
  await until("DNS has forgotten it", 1_000, async () => {
    const answer = await askSrv(ready.dns.address, srv);
    return answer.ports.join() === `${ports[1]}`;
  });
  expect(performance.now() - beganMs).toBeLessThan(1_000);
});

test("case 39: a run that was missed is told of, with its reason", async () => {
  const file = write("ticking", {
    type: "batch",
    script: "true",
    job: 'periodic { interval = "R/2026-01-01T00:00:00Z/PT1S" }',
  });
  expect(await cluster.muster("job", "run", file)).toMatchObject({ code: 0 });
  interface Run {
    readonly state: string;
    readonly reason: string;
    readonly plannedAt: string;
  }
  const runs = (): Promise<Run[]> => cluster.json<Run[]>("job", "runs", "-n", "100", "ticking");
  await until("it runs", 20_000, async () => (await runs()).some(({ state }) => state === "succeeded"));
  const cron = cluster.ready().frameworks.find(({ name }) => name === "cron")?.pid ?? 0;
  process.kill(cron, "SIGSTOP");
  const stoppedAtMs = Date.now();
  try {
    await until("targets have passed", 10_000, () => Date.now() - stoppedAtMs > 4_000);
  } finally {
    process.kill(cron, "SIGCONT");
  }
  await until("it tells of them", 20_000, async () => (await runs()).some(({ state }) => state === "missed"));
  const missed = (await runs()).filter(({ state }) => state === "missed");
  for (const { reason, plannedAt } of missed) {
    expect(reason).not.toBe("");
    expect(Date.parse(plannedAt)).toBeGreaterThan(stoppedAtMs - 1_000);
  }
  const shown = await cluster.muster("job", "runs", "-n", "100", "ticking");
  expect(shown.stdout).toContain(missed[0]?.reason);
  await cluster.muster("job", "stop", "--purge", "--yes", "--detach", "ticking");
});

test("case 40: stop frees the ports", async () => {
  const port = 31_000 + (process.pid % 900);
  const script = "exec node -e 'require(\"node:net\").createServer().listen(process.env.MUSTER_PORT_http)'";
  const group = `network {
      port "http" {
        static = ${port}
      }
    }
    service {
      port = "http"
      check {
        type     = "tcp"
        interval = "5s"
        timeout  = "2s"
      }
    }`;
  const portsHeld = async (): Promise<number> => {
    const agents = await cluster.json<{ allocated: { portCount: number } }[]>("agent", "list");
    return agents[0]?.allocated.portCount ?? 0;
  };
  const before = await portsHeld();
  // Twice: what stays behind would be in the way of the second one.
  for (const name of ["holder", "successor"]) {
    await run(write(name, { script, group }));
    expect(await isOpen(port)).toBe(true);
    expect(await cluster.muster("job", "stop", "--yes", name)).toMatchObject({ code: 0 });
    expect(await isOpen(port)).toBe(false);
    await until("the agent's books are free of it", 5_000, async () => (await portsHeld()) === before);
  }
});

const nomadFile = `job "cache" {
  datacenters = ["dc1"]
  type        = "service"

  update {
    max_parallel     = 1
    min_healthy_time = "0s"
  }

  group "cache" {
    count = 1

    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"
      mode     = "fail"
    }

    network {
      port "db" {}
    }

    task "redis" {
      driver = "raw_exec"

      env {
        GREETING = "port $\{NOMAD_PORT_db} of $\{NOMAD_TASK_NAME}"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo $GREETING; exec sleep 300"]
      }

      resources {
        cpu    = 10
        memory = 32
      }
    }
  }
}
`;

test("case 41: a job file of Nomad's runs as it is; what is not supported is named with its place", async () => {
  writeFileSync(join(cluster.folder, "cache.nomad"), nomadFile);
  await run("cache.nomad");
  const port = (await cluster.job("cache")).instances[0]?.ports["db"];
  await until("it greets", 10_000, async () => {
    const { stdout } = await cluster.muster("job", "logs", "cache");
    return stdout === `port ${port} of redis\n`;
  });
  const foreign = nomadFile
    .replace('driver = "raw_exec"', 'driver = "qemu"')
    .replace("    restart {", '    volume "data" {\n      type = "host"\n    }\n\n    restart {');
  writeFileSync(join(cluster.folder, "foreign.nomad"), foreign);
  const { code, stderr, stdout } = await cluster.muster("job", "validate", "foreign.nomad");
  expect(code).toBe(1);
  const told = stdout + stderr;
  const lineOf = (text: string): number => foreign.split("\n").findIndex((line) => line.includes(text)) + 1;
  expect(told).toMatch(new RegExp(`foreign\\.nomad:${lineOf('driver = "qemu"')}:\\d+: error: .*qemu`));
  expect(told).toMatch(new RegExp(`foreign\\.nomad:${lineOf('type = "host"')}:\\d+: error: .*volume`));
});
