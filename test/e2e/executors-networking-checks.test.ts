import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@muster/foundation";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeProber } from "../../executors/src/health/node-prober.ts";
import type { ProbeResult } from "../../executors/src/world/prober.ts";

const children: ChildProcess[] = [];
let dataFolder = "";

beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), "muster-checks-"));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(dataFolder, { recursive: true, force: true });
});

/** A web server in a process of its own, so that its cost is not the agent's; gives the port. */
function aServer(): Promise<number> {
  const program =
    'const s = require("http").createServer((_, r) => r.end()).listen(0, "127.0.0.1", () => console.log(s.address().port))';
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve) => child.stdout.once("data", (bytes) => resolve(Number(bytes))));
}

test("case 82: 500 http checks take less than a tenth of their ten seconds of a processor", async () => {
  const port = await aServer();
  const prober = nodeProber({ dataFolder, log: silentLog });
  const target = { type: "http", ip: "127.0.0.1", port, method: "GET", path: "/", headers: {}, body: "" } as const;
  const probe = (): Promise<ProbeResult> => new Promise((resolve) => prober.probe(target, 5_000, resolve));
  const before = process.cpuUsage();
  for (let batch = 0; batch < 50; batch++) {
    const answers = await Promise.all(Array.from({ length: 10 }, probe));
    expect(answers.every(({ passed }) => passed)).toBe(true);
  }
  const { user, system } = process.cpuUsage(before);
  // In the whole of an agent, with its loop and its other duties: see the benchmark "agent".
  expect((user + system) / 1_000).toBeLessThan(1_000);
  prober.stop();
});
