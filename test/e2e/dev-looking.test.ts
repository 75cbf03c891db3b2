import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { accessSync, constants, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { DevCluster, program, until } from "./dev-cluster.ts";

const cluster = new DevCluster(2_300);
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
    this.#process.on("exit", (code) => {
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
    await window.shows(/\^C[\s\S]*[$#] $/);
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
