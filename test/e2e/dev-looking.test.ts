import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { DevCluster, program, until } from "./dev-cluster.ts";

const cluster = new DevCluster(2_600);
const terminals: LocalTerminal[] = [];

const jobspec = `
job "talk" {
  group "talk" {
    task "talk" {
      driver = "process"
      config {
        command = "sh"
        args = ["-c", "echo one; echo two; echo three; echo oops >&2; exec sleep 1000"]
      }
      resources { cpu = 10 }
    }
  }
}
`;

beforeAll(async () => {
  await cluster.start("--no-example");
  writeFileSync(join(cluster.folder, "talk.hcl"), jobspec);
  expect((await cluster.muster("job", "run", "talk.hcl")).code).toBe(0);
});
afterEach(() => {
  for (const terminal of terminals.splice(0)) terminal.close();
});
afterAll(() => cluster.remove());

const hasScript = (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, "script"), constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

/** A shell line in a terminal of its own, as a person would have it. */
class LocalTerminal {
  output = "";
  code: number | undefined;
  readonly #process: ChildProcess;

  constructor(line: string) {
    const environment = {
      ...process.env,
      MUSTER_ADDR: cluster.masterAddress,
      MUSTER: `${process.execPath} ${program}`,
    };
    this.#process = spawn("script", ["-qec", line, "/dev/null"], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stdout?.on("data", (bytes: Buffer) => {
      this.output += bytes.toString();
    });
    // Not "exit": then what it has written last may not be read yet.
    this.#process.on("close", (code) => {
      this.code = code ?? -1;
    });
    terminals.push(this);
  }

  type(keys: string): void {
    this.#process.stdin?.write(keys);
  }

  async shows(text: string | RegExp): Promise<void> {
    const isThere = (): boolean => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    await until(`${text} in the terminal`, 15_000, isThere).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output}`);
    });
  }

  async ended(): Promise<number> {
    await until("the end of the terminal's line", 15_000, () => this.code !== undefined);
    return this.code ?? -1;
  }

  close(): void {
    if (this.code === undefined) this.#process.kill("SIGKILL");
  }
}

test.skipIf(!hasScript)(
  "at a terminal exec has one: size, new size, keys as they are typed, Ctrl-C, exit code, and the terminal back",
  async () => {
    const window = new LocalTerminal(
      "tty; stty rows 31 cols 99; $MUSTER job exec talk -- sh; code=$?; stty -a | grep -o -e '[-]*icanon' -e ' [-]*echo '; exit $code",
    );
    await window.shows(/[$#] $/);
    const device = /\/dev\/pts\/\d+/.exec(window.output)?.[0] ?? "";
    window.type("stty size; tty; trap 'stty size' WINCH\r");
    await window.shows(/31 99\r+\n\/dev\/pts\/\d+\r+\n/);
    await window.shows(/[$#] $/);
    // As a window manager does it: from outside of what runs in the window.
    execFileSync("stty", ["-F", device, "rows", "40", "cols", "120"]);
    await until("the new size is known beside the task", 15_000, () => {
      if (!window.output.includes("40 120")) window.type("\r");
      return window.output.includes("40 120");
    });
    // A shell between fork and exec may miss the key.
    window.type("sh -c 'echo go''ing; exec sleep 100'\r");
    await window.shows("going");
    window.type("\x03");
    // The kernel writes ^C after it has sent the signal: the shell's next prompt may come before it.
    await window.shows(/\bgoing\r+\n(?=[\s\S]*\^C)[\s\S]*[$#] (\^C)?$/);
    window.type("exit 7\r");
    expect(await window.ended()).toBe(7);
    expect(window.output).toMatch(/exit 7\r+\nicanon\r\n echo \r\n$/);
  },
);

test("in pipes exec has pipes, also for one task by its id, with its own variables and exit code", async () => {
  const [task] = await cluster.json<{ id: string }[]>("task", "list");
  const id = task?.id ?? "";
  const { code, stdout } = await cluster.muster(
    "task",
    "exec",
    "-e",
    "A=b",
    id,
    "sh",
    "-c",
    "test -t 1 || echo $A; exit 3",
  );
  expect([code, stdout]).toEqual([3, "b\n"]);
  const forced = await cluster.muster("task", "exec", "-t", id, "--", "tty");
  expect([forced.code, forced.stdout]).toEqual([0, expect.stringMatching(/^\/dev\/pts\/\d+\r\n$/)]);
});

test("logs of a job and of one task are chosen by pattern, time and count, and bear times on request", async () => {
  const grep = await cluster.muster("job", "logs", "talk", "--grep", "^(one|three)$");
  expect([grep.code, grep.stdout]).toEqual([0, "one\nthree\n"]);
  const timed = await cluster.muster("task", "logs", "talk", "--stdout", "-n", "1", "--timestamps");
  expect(timed.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
  const future = await cluster.muster("task", "logs", "talk", "--since", "0s");
  expect([future.code, future.stdout]).toEqual([0, ""]);
  const wrong = await cluster.muster("task", "logs", "talk", "--grep", "(a");
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('grep: "(" without ")"')]);
});

test("a task's files are listed, printed and fetched, and its use is measured", async () => {
  const made = await cluster.muster(
    "job",
    "exec",
    "talk",
    "--",
    "sh",
    "-c",
    "head -c 20000000 /dev/urandom > local/big; md5sum < local/big",
  );
  const listed = await cluster.json<{ name: string; kind: string; sizeBytes: number }[]>(
    "task",
    "files",
    "talk",
    "local",
  );
  expect(listed).toMatchObject([{ name: "big", kind: "file", sizeBytes: 20_000_000 }]);
  const fetched = await cluster.muster("task", "files", "talk", "local/big", "--download");
  expect([fetched.code, fetched.stdout]).toEqual([0, "wrote big (20000000 bytes)\n"]);
  const sum = createHash("md5")
    .update(readFileSync(join(cluster.folder, "big")))
    .digest("hex");
  expect(made.stdout).toBe(`${sum}  -\n`);
  expect((await cluster.muster("task", "files", "talk", "local/big", "--download")).code).toBe(1);
  const secret = await cluster.muster("task", "files", "talk", "secrets/x", "--cat");
  expect([secret.code, secret.stderr]).toEqual([4, expect.stringContaining("secrets")]);
  const use = await cluster.json<{ processCount: number; memoryBytes: number }>("task", "stats", "talk");
  expect(use.processCount).toBe(1);
  expect(use.memoryBytes).toBeGreaterThan(50_000);
});

test("a task is described and ended by its id, and its framework places another", async () => {
  const [task] = await cluster.json<{ id: string }[]>("task", "list");
  const id = task?.id ?? "";
  const status = await cluster.muster("task", "status", id);
  expect([status.code, status.stdout]).toEqual([
    0,
    expect.stringMatching(/● running[\s\S]*\nframework {2}services, role/),
  ]);
  const unasked = await cluster.muster("task", "kill", id);
  expect([unasked.code, unasked.stderr]).toEqual([64, expect.stringContaining("--yes")]);
  const killed = await cluster.muster("task", "kill", "--yes", "--grace", "100ms", "--timeout", "20s", id);
  expect([killed.code, killed.stdout]).toEqual([0, `task ${id} has ended\n`]);
  const ended = await cluster.json<{ state: string }>("task", "status", id);
  expect(ended.state).toBe("TASK_KILLED");
  expect((await cluster.muster("task", "kill", "--yes", id)).code).toBe(1);
  await until("another in its place", 20_000, async () => {
    const tasks = await cluster.json<{ id: string; state: string }[]>("task", "list");
    return tasks.some((other) => other.id !== id && other.state === "TASK_RUNNING");
  });
  const wrong = await cluster.muster("task", "status", "tolk");
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("no task tolk")]);
});

test("an agent says what it has, what works on it, and what is missing with the reason", async () => {
  const { code, stdout } = await cluster.muster("agent", "status", "agent-1");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^memory \(MiB\)( +\d+){5}$/m);
  expect(stdout).toMatch(/^driver +process +✔ works +- +-$/m);
  expect(stdout).toMatch(/^network +host +✔ works/m);
  const { abilities } = await cluster.json<{ abilities: { works: boolean; reason: string }[] }>(
    "agent",
    "status",
    "agent-1",
  );
  for (const { works, reason } of abilities) expect(works || reason !== "").toBe(true);
});
