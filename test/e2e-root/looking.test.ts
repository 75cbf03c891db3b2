import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { nodeExecRunner } from "../../executors/src/exec/node-exec-runner.ts";
import { startTicks } from "../../executors/src/shim/processes.ts";

const isRoot = process.getuid?.() === 0;
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

/** A process in namespaces of its own, as a task of another driver would have them. */
async function isolated(script: string): Promise<number> {
  const child = spawn("unshare", [
    "--net",
    "--uts",
    "--mount",
    "--ipc",
    "sh",
    "-c",
    `${script}; echo ready; exec sleep 300`,
  ]);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  cleanups.push(() => child.kill("SIGKILL"));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", () => resolve());
    void gone.then(() => reject(new Error("unshare ended")));
  });
  return child.pid ?? 0;
}

/** What a command beside that process writes, and how it ends. */
function beside(pid: number, script: string, isTerminal = false): Promise<string> {
  const dataFolder = mkdtempSync(join(tmpdir(), "muster-looking-"));
  cleanups.push(() => rmSync(dataFolder, { recursive: true, force: true }));
  mkdirSync(join(dataFolder, "tasks/g/0/work"), { recursive: true });
  let text = "";
  return new Promise((resolve) => {
    nodeExecRunner(dataFolder).run(
      {
        id: "g.0",
        pid,
        startTicks: startTicks(pid) ?? 0,
        command: ["sh", "-c", script],
        environment: { PATH: process.env["PATH"] ?? "" },
        terminal: isTerminal ? { columns: 70, rows: 20 } : undefined,
      },
      {
        stdout: (bytes) => {
          text += bytes.toString();
        },
        stderr: (bytes) => {
          text += bytes.toString();
        },
        ended: (code) => resolve(`${text}exit ${code}`),
        failed: (error) => resolve(error.message),
      },
    );
  });
}

test.runIf(isRoot)(
  "a command beside a task in namespaces of its own is in them, with its mounts and a terminal",
  async () => {
    const pid = await isolated("hostname looked-at; mount -t tmpfs none /mnt; echo seen > /mnt/mark");
    const kinds = ["net", "uts", "mnt", "ipc"]
      .map((kind) => `readlink /proc/self/ns/${kind} /proc/${pid}/ns/${kind}`)
      .join(";");
    const lines = (
      await beside(pid, `${kinds}; hostname; cat /mnt/mark; sed -n 3p /proc/self/net/dev | cut -d: -f1`)
    ).split("\n");
    for (let at = 0; at < 8; at += 2) expect(lines[at]).toBe(lines[at + 1]);
    expect(lines.slice(8)).toEqual(["looked-at", "seen", expect.stringMatching(/^ *lo$/), "exit 0"]);
    expect(await beside(pid, "hostname; stty size; exit 4", true)).toBe("looked-at\r\n20 70\r\nexit 4");
  },
);

test.runIf(isRoot)("a command beside a task in a control group of its own is counted there", async () => {
  const group = `/sys/fs/cgroup/pids/muster-looking-${process.pid}`;
  mkdirSync(group);
  cleanups.push(() => rmdirSync(group));
  const child = spawn("sleep", ["300"]);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  try {
    writeFileSync(`${group}/cgroup.procs`, String(child.pid));
    const text = await beside(child.pid ?? 0, "grep :pids: /proc/self/cgroup");
    expect(text).toBe(
      `${/\d+:pids:/.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[0]}/muster-looking-${process.pid}\nexit 0`,
    );
  } finally {
    child.kill("SIGKILL");
    await gone;
  }
});
