import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { silentLog } from "@muster/foundation";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startTicks } from "../shim/processes.ts";
import { Dialer } from "./dialer.ts";
import { childrenOf, Probing, processesWith, until } from "./probing.test.support.ts";
import { dialerSocketPath } from "./socket-path.ts";

const probing = Probing.use(beforeEach, afterEach);

const script = () => ({
  type: "script" as const,
  id: "g.0",
  pid: process.pid,
  startTicks: startTicks(process.pid) as number,
  command: "true",
  arguments: [],
  environment: { PATH: process.env["PATH"] ?? "" },
});

test("a dialer that was killed is started again by the next check, and ends when the prober stops", async () => {
  probing.folder("g.0");
  expect((await probing.probe(script())).passed).toBe(true);
  const first = probing.prober.helperPid as number;
  process.kill(first, "SIGKILL");
  expect((await probing.probe(script())).passed).toBe(true);
  const second = probing.prober.helperPid as number;
  expect(second).not.toBe(first);
  probing.prober.stop();
  await until(() => !existsSync(`/proc/${second}`), "dialer gone");
  expect(existsSync(dialerSocketPath(probing.dataFolder))).toBe(false);
  expect((await probing.probe(script())).message).toBe("the agent is stopping");
});

test("without perl a check fails with what to install", async () => {
  const dialer = new Dialer({ dataFolder: probing.dataFolder, log: silentLog, perl: "/no/perl" });
  const failures: string[] = [];
  for (let i = 0; i < 2; i++)
    failures.push(
      await new Promise((resolve) =>
        dialer.ask("", (result) => resolve(result instanceof Error ? result.message : "")),
      ),
    );
  expect(failures[0]).toContain("need perl");
  // Not tried again at once.
  expect(failures[1]).toBe(failures[0]);
  dialer.stop();
});

test("a connection through the dialer carries bytes both ways, whole and in order, and both ends close", async () => {
  const dialer = new Dialer({ dataFolder: probing.dataFolder, log: silentLog });
  probing.after(() => dialer.stop());
  // Speaks first, then echoes: what comes right behind the dialer's own answer must not be lost.
  let open = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open++;
    socket.write("welcome\n");
    socket.pipe(socket);
    socket.on("close", () => open--);
  });
  const port = await probing.listen(server);
  const text = Buffer.alloc(3_000_000, "0123456789abcdef-");
  const got = await new Promise<Buffer>((resolve, reject) => {
    dialer.dial({ ip: "127.0.0.1", port, namespace: "/proc/self/ns/net" }, (socket) => {
      if (socket instanceof Error) {
        reject(socket);
        return;
      }
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk)).on("end", () => resolve(Buffer.concat(chunks)));
      socket.end(text);
    });
  });
  expect(got.equals(Buffer.concat([Buffer.from("welcome\n"), text]))).toBe(true);
  await until(() => open === 0 && childrenOf(dialer.pid as number).length === 0, "both ends closed");
});

/** An agent's checks in a process of their own, which can then be killed. */
const program = `
import { silentLog as log, systemClock as clock } from "@muster/foundation";
import { hostWorld } from "@muster/executors";
const [dataFolder, mark, startTicks] = process.argv.slice(1);
const { prober } = hostWorld({ dataFolder, clock, log });
const environment = { PATH: process.env.PATH, MARK: mark };
const target = { type: "script", id: "g.0", pid: process.ppid, startTicks: Number(startTicks), environment };
prober.probe({ ...target, command: "sh", arguments: ["-c", "sleep 300 & sleep 300"] }, 60_000, () => {});
`;

test("a dialer ends with the process that started it, however that ends, and with it what runs under it", async () => {
  probing.folder("g.0");
  const mark = `muster-orphan-${process.pid}`;
  const words = [probing.dataFolder, mark, String(startTicks(process.pid))];
  const options = ["--input-type=module", "-e", program, ...words];
  const child = spawn(process.execPath, options, { stdio: "inherit", cwd: new URL("../..", import.meta.url) });
  probing.after(() => child.kill("SIGKILL"));
  // The agent itself, the shell and its two children.
  await until(() => processesWith(mark).length === 4, "script running", 15_000);
  child.kill("SIGKILL");
  await until(() => processesWith(mark).length === 0 && processesWith(probing.dataFolder).length === 0, "all gone");
  expect(existsSync(dialerSocketPath(probing.dataFolder))).toBe(false);
});

test("the socket's folder is nobody else's, and its path short enough for Node", () => {
  const runtime = `${probing.dataFolder}/run`;
  mkdirSync(runtime);
  const path = dialerSocketPath(`/very/long/${"folder/".repeat(40)}`, { XDG_RUNTIME_DIR: runtime });
  expect(path.startsWith(`${runtime}/muster/dialer-`)).toBe(true);
  expect(readdirSync(runtime)).toEqual(["muster"]);
  expect(() => dialerSocketPath("/data", { XDG_RUNTIME_DIR: `/tmp/${"long".repeat(30)}` })).toThrow();
  mkdirSync(`${runtime}/open/muster`, { recursive: true, mode: 0o755 });
  expect(() => dialerSocketPath("/data", { XDG_RUNTIME_DIR: `${runtime}/open` })).toThrow("nobody else may enter");
});
