import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyMessage, grpcTransport, type MethodName, type RequestOf } from "@muster/foundation";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { DevCluster, until } from "./dev-cluster.ts";

const cluster = new DevCluster(2_900);
/** The machine may be busy with other tests. */
const patienceMs = 60_000;
const testTimeoutMs = 300_000;
vi.setConfig({ testTimeout: testTimeoutMs });

/** A task that copies what it is given into its group's shared folder, whenever it begins or is told. */
const keeper = [
  "copy() { cp local/peers.txt seen.tmp && mv seen.tmp seen.txt; }",
  "trap copy HUP",
  "echo begun >> begins.txt",
  "copy",
  "while :; do sleep 0.1; done",
].join("\n");

const jobText = `
job "store" {
  group "g" {
    count = 2
    network {
      port "db" {}
    }
    service {
      name = "store"
      port = "db"
      tags = ["primary"]
      meta { zone = "north" }
    }
    task "t" {
      driver = "process"
      config {
        command = "sleep"
        args    = ["1000"]
      }
      resources {
        cpu    = 10
        memory = 16
      }
    }
  }
}
`;

const readerText = `
job "reader" {
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "sh"
        args    = ["-c", ${JSON.stringify(keeper)}]
      }
      secret "db" {
        provider = "file"
        path     = "db"
      }
      env {
        PASSWORD = "\${secret.db.value}"
      }
      template {
        destination   = "local/peers.txt"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        splay         = "100ms"
        data          = <<-END
          {{ range service "primary.store" }}server {{ .Address }}:{{ .Port }} {{ .ServiceMeta.zone }}
          {{ end }}color {{ key "reader/color" }}
          END
      }
      template {
        destination = "secrets/env"
        env         = true
        splay       = "0s"
        data        = "LEVEL={{ keyOrDefault \\"reader/level\\" \\"info\\" }}\\n"
      }
      resources {
        cpu    = 10
        memory = 16
      }
    }
  }
}
`;

async function run(name: string, text: string, ...options: string[]): Promise<void> {
  writeFileSync(join(cluster.folder, `${name}.hcl`), text);
  const { code, stdout, stderr } = await cluster.muster("job", "run", "--timeout", "60s", ...options, `${name}.hcl`);
  expect(code, `${stdout}${stderr}`).toBe(0);
}

async function file(path: string): Promise<string> {
  const { instances } = await cluster.job("reader");
  const { stdout } = await cluster.muster("task", "files", instances[0]?.id ?? "none", path, "--cat");
  return stdout;
}

const untilFile = (what: string, path: string, holds: (text: string) => boolean): Promise<void> =>
  until(what, patienceMs, async () => holds(await file(path)));

/** All that commands print, for people and for programs; two of them at a time. */
async function outputsOf(commands: readonly (readonly string[])[]): Promise<string[]> {
  const outputs: string[] = [];
  for (const command of commands) {
    const both = await Promise.all([cluster.muster(...command), cluster.muster(...command, "--json")]);
    for (const { stdout, stderr } of both) outputs.push(stdout, stderr);
  }
  return outputs;
}

const serversIn = (text: string): number => text.split("server ").length - 1;

beforeAll(async () => {
  const secrets = join(cluster.folder, "secrets-of-the-operator");
  mkdirSync(join(secrets, "default"), { recursive: true });
  writeFileSync(join(secrets, "default/db"), "s3cret-of-a-file\n");
  process.env["MUSTER_SECRETS_DIR"] = secrets;
  await cluster.start("--no-example");
});
afterAll(() => {
  delete process.env["MUSTER_SECRETS_DIR"];
  return cluster.remove();
});

test("a task waits for what its files are made of, and says for what", async () => {
  await run("reader", readerText, "--detach");
  await until("it says what is missing", patienceMs, async () => {
    const { instances } = await cluster.job("reader");
    return (
      instances[0]?.reason === "waits for service primary.store, key reader/color" ||
      instances[0]?.reason === "waits for service store, key reader/color"
    );
  });
  expect((await cluster.muster("key", "set", "reader/color", "blue")).code).toBe(0);
  await run("store", jobText);
  await untilFile("its file is there", "seen.txt", (text) => text.includes("color blue") && serversIn(text) === 2);
  const { instances } = await cluster.job("store");
  const wanted = instances.map(({ ip, ports }) => `server ${ip}:${ports["db"]} north`).sort();
  expect(
    (await file("seen.txt"))
      .split("\n")
      .filter((line) => line.startsWith("server"))
      .sort(),
  ).toEqual(wanted);
});

test("changes of services and keys come as signals, and the task runs on", async () => {
  expect((await cluster.muster("job", "scale", "store=3")).code).toBe(0);
  await untilFile("the third is told", "seen.txt", (text) => serversIn(text) === 3);
  await cluster.muster("key", "set", "reader/color", "red");
  await untilFile("the colour is told", "seen.txt", (text) => text.includes("color red"));
  expect((await cluster.muster("job", "stop", "store", "--yes")).code).toBe(0);
  await untilFile("none is left", "seen.txt", (text) => serversIn(text) === 0);
  expect((await file("begins.txt")).trim()).toBe("begun");
});

test("a new environment restarts it in its place", async () => {
  const before = await cluster.job("reader");
  await cluster.muster("key", "set", "reader/level", "debug");
  await untilFile("it has begun again", "begins.txt", (text) => text.split("begun").length === 3);
  await until("it runs", patienceMs, async () => (await cluster.job("reader")).instances[0]?.state === "TASK_RUNNING");
  const after = await cluster.job("reader");
  expect(after.instances[0]?.id).toBe(before.instances[0]?.id);
  const { stdout } = await cluster.muster(
    "task",
    "exec",
    after.instances[0]?.id ?? "",
    "--",
    "sh",
    "-c",
    "echo $LEVEL $PASSWORD",
  );
  expect(stdout.trim()).toBe("debug s3cret-of-a-file");
});

test("a secret is in the task alone: no command, no log and no record of the cluster has it", async () => {
  const outputs = await outputsOf([
    ["job", "status", "reader"],
    ["job", "history", "reader"],
    ["job", "plan", "reader.hcl"],
    ["task", "list"],
  ]);
  for (const name of ["master", "services", "agent-1"])
    outputs.push(readFileSync(join(cluster.data, "logs", `${name}.log`), "utf8"));
  for (const output of outputs) expect(output).not.toContain("s3cret-of-a-file");
  expect(outputs.join()).toContain("secret.db.value");
});

const hiddenText = `
variable "password" {
  sensitive = true
  default   = "default-of-a-variable"
}
locals {
  url = "db://\${var.password}@host"
}
job "hidden" {
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "sh"
        args    = ["-c", "echo begun; exec sleep 1000", "--key=\${var.password}"]
      }
      env {
        PASSWORD = var.password
        URL      = local.url
      }
      template {
        destination = "secrets/file"
        data        = "key=\${var.password}"
      }
      resources {
        cpu    = 10
        memory = 16
      }
    }
  }
}
`;

test("values of sensitive variables reach the task, and no command, log or answer of the cluster has them", async () => {
  await run("hidden", hiddenText, "--var", "password=v4lue-of-a-flag");
  const { instances } = await cluster.job("hidden");
  const inside = await cluster.muster(
    "task",
    "exec",
    instances[0]?.id ?? "",
    "--",
    "sh",
    "-c",
    "echo $URL; cat secrets/file",
  );
  expect(inside.stdout).toBe("db://v4lue-of-a-flag@host\nkey=v4lue-of-a-flag");
  const other = ["--var", "password=an0ther-value", "hidden.hcl"];
  const looks = [
    ["job", "status", "hidden"],
    ["job", "history", "hidden"],
    ["job", "deployments", "hidden"],
    ["job", "plan", ...other],
    ["job", "validate", ...other],
    ["job", "logs", "hidden"],
    ["task", "list"],
    ["task", "status", instances[0]?.id ?? ""],
  ];
  const outputs = await outputsOf(looks);
  outputs.push(...(await outputsOf([["job", "run", "--detach", ...other]])));
  outputs.push(
    ...(await outputsOf([
      ["job", "history", "hidden"],
      ["operator", "snapshot"],
    ])),
  );
  const transport = grpcTransport();
  const ask = <M extends MethodName>(method: M, request: RequestOf<M>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      transport.call(method, cluster.masterAddress, request, patienceMs, (result) =>
        result.ok ? resolve(result.value) : reject(result.error),
      );
    });
  const history = await ask("Jobs.History", { ...emptyMessage("HistoryRequest"), name: "hidden" });
  const got = await ask("Jobs.Get", { ...emptyMessage("JobsGetRequest"), name: "hidden" });
  transport.close();
  // Bytes are shown as what they say.
  const readable = (value: unknown): string =>
    JSON.stringify(value, (_, item: unknown) => {
      const { type, data } = (item ?? {}) as { type?: string; data?: number[] };
      return type === "Buffer" && data ? Buffer.from(data).toString("utf8") : item;
    });
  outputs.push(readable(history), readable(got));
  expect(outputs.slice(-2).join()).toContain("(sensitive)");
  expect(outputs.join()).toContain("(sensitive, another value)");
  for (const name of ["master", "services", "agent-1", "edge"])
    outputs.push(readFileSync(join(cluster.data, "logs", `${name}.log`), "utf8"));
  for (const output of outputs) expect(output).not.toMatch(/v4lue-of-a-flag|an0ther-value|default-of-a-variable/);
});

test("what a template may not hold is told at its line, and nothing is sent", async () => {
  writeFileSync(
    join(cluster.folder, "wrong.hcl"),
    readerText.replace('{{ key "reader/color" }}', '{{ secret "kv/db" }}'),
  );
  const { code, stderr } = await cluster.muster("job", "validate", "wrong.hcl");
  expect(code).toBe(1);
  const line = readerText.split("\n").findIndex((text) => text.includes("reader/color")) + 1;
  expect(stderr).toMatch(new RegExp(`^wrong.hcl:${line}:\\d+: error: secret: Muster uses no Vault`, "m"));
  expect(stderr).toContain('write a secret block in the task, and {{ secretText "NAME" }}');
});
