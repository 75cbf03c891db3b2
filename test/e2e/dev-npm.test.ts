import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { DevCluster, processesOf, stopTimeoutMs, until } from "./dev-cluster.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const cluster = new DevCluster(2_000);
afterAll(() => cluster.remove());

/** The cluster as a child of npm, in a process group as a terminal would have it. */
async function startByNpm(...args: string[]) {
  const fixed = [
    "--data-dir",
    cluster.data,
    "--port-offset",
    "2000",
    "--ready-file",
    cluster.readyFile,
    "--no-example",
  ];
  const child = spawn("npx", ["--no-install", "muster", "dev", ...fixed, ...args], {
    cwd: root,
    detached: true,
    stdio: "ignore",
  });
  await until("the cluster is ready", 60_000, () => {
    if (child.exitCode !== null) throw new Error(`muster dev ended with ${child.exitCode}`);
    return existsSync(cluster.readyFile);
  });
  return child.pid ?? 0;
}

test("several agents share the work, and the ports of their tasks are disjoint", async () => {
  const npm = await startByNpm("--agents", "2");
  const { agents } = cluster.ready();
  expect(agents.map(({ name, address }) => [name, address])).toEqual([
    ["agent-1", "127.0.0.1:7151"],
    ["agent-2", "127.0.0.1:7152"],
  ]);
  await cluster.muster("job", "init", "web");
  expect(await cluster.muster("job", "run", "web.hcl")).toMatchObject({ code: 0 });
  const { instances } = await cluster.job("web");
  expect(new Set(instances.map(({ agent }) => agent)).size).toBe(2);
  const portsOf = (name: string): number[] =>
    instances.filter(({ agent }) => agent === name).map(({ ports }) => ports["http"] ?? 0);
  expect(Math.max(...portsOf("agent-1"))).toBeLessThan(Math.min(...portsOf("agent-2")));

  // npm does not pass SIGTERM on to what it started.
  process.kill(npm, "SIGTERM");
  await until("nothing of the cluster is left", stopTimeoutMs, () => processesOf(cluster.data).length === 0);
  expect(existsSync(cluster.readyFile)).toBe(false);
});

test("Ctrl-C reaches dev twice, by the terminal and by npm, and still ends everything in good order", async () => {
  const npm = await startByNpm("--agents", "2");
  await until("web is back", 30_000, async () => (await cluster.job("web")).healthy === 3);
  process.kill(-npm, "SIGINT");
  await until("nothing of the cluster is left", stopTimeoutMs, () => processesOf(cluster.data).length === 0);
});
