import { afterAll, beforeAll, expect, test } from "vitest";
import { askSrv, DevCluster, isOpen, processesOf, type Ready, stopTimeoutMs, until } from "./dev-cluster.ts";

const cluster = new DevCluster(1_100);
const helloSrv = "_http._hello._tcp.services.muster";
const helloFile = new URL("../../jobspecs/examples/hello.hcl", import.meta.url).pathname;
let ready: Ready;

beforeAll(async () => {
  ready = await cluster.start();
  await until("hello is healthy", 60_000, () => cluster.output.includes("job stop hello"));
});
afterAll(() => cluster.remove());

async function ports(): Promise<number[]> {
  const { instances } = await cluster.job("hello");
  return instances
    .filter(({ healthy }) => healthy)
    .map((instance) => instance.ports["http"] ?? 0)
    .sort((a, b) => a - b);
}

test("dev runs hello, and shows its instances, its SRV records and the dashboard", () => {
  expect(cluster.output).toContain("hello.web.0");
  expect(cluster.output).toMatch(/_http\._hello\._tcp\.services\.muster\s+\d+\s+SRV\s+\d+ \d+ [23]\d{4} /);
  expect(cluster.output).toContain("http://127.0.0.1:6180/");
  expect(cluster.output).toContain("job scale hello=5");
});

test("the ready file tells every component's address and process", () => {
  expect(ready).toEqual({
    master: { address: "127.0.0.1:6150", pid: expect.any(Number) },
    agents: [
      { id: expect.stringMatching(/^agent-/), name: "agent-1", address: "127.0.0.1:6151", pid: expect.any(Number) },
    ],
    frameworks: [
      { name: "services", pid: expect.any(Number) },
      { name: "cron", pid: expect.any(Number) },
    ],
    dns: { address: "127.0.0.1:9153", domain: "muster", pid: expect.any(Number) },
    dashboard: { url: "http://127.0.0.1:6180/", pid: expect.any(Number) },
  });
});

test("case 6: three instances are healthy, each answers, and DNS names just these", async () => {
  const job = await cluster.job("hello");
  expect(job).toMatchObject({ status: "running", desired: 3, running: 3, healthy: 3 });
  for (const instance of job.instances) {
    expect(instance).toEqual({
      id: expect.stringMatching(/^hello\.web\.\d\./),
      state: "TASK_RUNNING",
      healthy: true,
      agent: "agent-1",
      pid: expect.any(Number),
      ip: "127.0.0.1",
      ports: { http: expect.any(Number) },
      reason: expect.any(String),
    });
    const port = instance.ports["http"];
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(`hello from port ${port}\n`);
    process.kill(instance.pid, 0);
  }
  expect(await askSrv(ready.dns.address, helloSrv)).toEqual({ code: "NOERROR", ports: await ports() });
});

test("a task killed with SIGKILL is replaced, and DNS follows", async () => {
  const { instances } = await cluster.job("hello");
  const victim = instances[0];
  if (!victim) throw new Error("no instance");
  process.kill(victim.pid, "SIGKILL");
  await until("DNS has forgotten it", 5_000, async () => {
    const { ports: named } = await askSrv(ready.dns.address, helloSrv);
    return !named.includes(victim.ports["http"] ?? 0);
  });
  await until("three are healthy again", 30_000, async () => {
    const now = await cluster.job("hello");
    return now.healthy === 3 && !now.instances.some(({ id, healthy }) => id === victim.id && healthy);
  });
  await until("DNS names the new one", 2_000, async () => {
    const { ports: named } = await askSrv(ready.dns.address, helloSrv);
    return named.join() === (await ports()).join();
  });
});

test("logs and exec reach the tasks, and exec ends with the command's code", async () => {
  const { code, stdout } = await cluster.muster(
    "job",
    "exec",
    "hello",
    "--",
    "sh",
    "-c",
    "echo $MUSTER_PORT_http; exit 3",
  );
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 3, stdout: expect.stringMatching(/^[23]\d{4}$/) });
  expect(await cluster.muster("job", "logs", "hello")).toMatchObject({ code: 0 });
});

test("scaling adds and removes instances, and DNS follows", async () => {
  expect(await cluster.muster("job", "scale", "hello=5")).toMatchObject({ code: 0 });
  expect(await cluster.job("hello")).toMatchObject({ desired: 5, healthy: 5 });
  expect((await askSrv(ready.dns.address, helloSrv)).ports).toHaveLength(5);
  // The file says three: a change of the count alone, which keeps what runs.
  expect(await cluster.muster("job", "run", "--timeout", "20s", helloFile)).toMatchObject({ code: 0 });
  expect(await cluster.muster("job", "scale", "hello", "2")).toMatchObject({ code: 0 });
  await until("DNS names two", 2_000, async () => (await askSrv(ready.dns.address, helloSrv)).ports.length === 2);
});

test("lists tell of the agent, the frameworks and the tasks", async () => {
  expect(await cluster.json("agent", "list")).toMatchObject([{ name: "agent-1", state: "registered", tasks: 2 }]);
  expect(await cluster.json("framework", "list")).toMatchObject([
    { name: "cron", connected: true },
    { name: "services", connected: true, tasks: 2 },
  ]);
  expect(await cluster.json<unknown[]>("task", "list")).toHaveLength(2);
  expect(await cluster.json("job", "list")).toMatchObject([{ name: "hello", type: "service", status: "running" }]);
  expect(await cluster.json<unknown[]>("job", "history", "hello")).not.toHaveLength(0);
});

test("case 28: stop without a terminal and without --yes refuses; with it the tasks end and the name goes", async () => {
  expect(await cluster.muster("job", "stop", "hello")).toMatchObject({ code: 64 });
  expect(await cluster.muster("job", "stop", "--yes", "hello")).toMatchObject({ code: 0 });
  expect(await cluster.job("hello")).toMatchObject({ status: "stopped", running: 0 });
  await until(
    "DNS has forgotten hello",
    2_000,
    async () => (await askSrv(ready.dns.address, helloSrv)).ports.length === 0,
  );
});

test("case 3: a second cluster in the folder, and one on its ports, are refused with who has them", async () => {
  const second = await cluster.muster("dev", "--data-dir", cluster.data, "--port-offset", "8500");
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining(`in use by pid ${cluster.pid} since`) });
  const other = await cluster.muster("dev", "--data-dir", `${cluster.folder}/other`, "--port-offset", "1100");
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining(`is in use by pid ${ready.master.pid}`) });
  expect(other.stderr).toContain("--port-offset");
});

test("SIGTERM ends everything within six seconds: no process, no port, no ready file", async () => {
  await cluster.muster("job", "run", "--detach", helloFile);
  expect(await cluster.stop()).toBeLessThan(stopTimeoutMs);
  expect(processesOf(cluster.data)).toEqual([]);
  const listening = [6_150, 6_151, 6_180, 9_153, 9_223];
  expect(await Promise.all(listening.map(isOpen))).toEqual(listening.map(() => false));
  expect(() => cluster.ready()).toThrow("ENOENT");
});
