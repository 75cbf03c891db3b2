import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askSrv, DevCluster, processesOf, program, type Ready, until } from "./dev-cluster.ts";

const cluster = new DevCluster(1_400);
const srv = "_http._web._tcp.services.muster";
const secondDns = "127.0.0.1:9454";
let other: ReturnType<typeof spawn>;

beforeAll(async () => {
  await cluster.start("--no-example");
  await cluster.muster("job", "init", "web");
  const ran = await cluster.muster("job", "run", "--timeout", "60s", "web.hcl");
  if (ran.code !== 0) throw new Error(`web is not healthy: ${ran.stdout}${ran.stderr}${cluster.output}`);
  const args = ["daemon", "dns", "--listen", secondDns, "--http", "127.0.0.1:9524", "--master", cluster.masterAddress];
  other = spawn(process.execPath, [program, ...args], { stdio: "ignore" });
  await until("the second DNS server answers", 10_000, async () => {
    const { ports } = await askSrv(secondDns, srv).catch(() => ({ ports: [] }));
    return ports.length === 3;
  });
});
afterAll(async () => {
  other?.kill("SIGKILL");
  await cluster.remove();
});

/** Clients of the service: each instance over HTTP, and both DNS servers, every 20 ms. */
class Clients {
  readonly errors: string[] = [];
  asked = 0;
  #isOver = false;
  readonly #loops: Promise<void>[] = [];

  http(ports: readonly number[]): void {
    for (const port of ports)
      this.#loop(`http ${port}`, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) });
        if (response.status !== 200) throw new Error(`status ${response.status}`);
        await response.text();
      });
  }

  dns(server: string, count: number): void {
    this.#loop(`dns ${server}`, async () => {
      const { ports } = await askSrv(server, srv, 2_000);
      if (ports.length !== count) throw new Error(`${ports.length} names`);
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  #loop(what: string, ask: () => Promise<void>): void {
    const go = async (): Promise<void> => {
      while (!this.#isOver) {
        await ask().catch((error: Error) => this.errors.push(`${what}: ${error.message}`));
        this.asked++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    this.#loops.push(go());
  }
}

const components: readonly (readonly [string, (ready: Ready) => number])[] = [
  ["the master", (ready) => ready.master.pid],
  ["the agent", (ready) => ready.agents[0]?.pid ?? 0],
  ["case 59: the framework", (ready) => ready.frameworks[0]?.pid ?? 0],
  ["DNS", (ready) => ready.dns.pid],
  ["the dashboard's edge", (ready) => ready.dashboard.pid],
];

test.each(components)(
  "%s killed with SIGKILL comes back, its tasks run on, and no client of the service notices",
  async (name, pidOf) => {
    const before = await cluster.job("web");
    const clients = new Clients();
    clients.http(before.instances.map(({ ports }) => ports["http"] ?? 0));
    clients.dns(secondDns, 3);
    if (name !== "DNS") clients.dns(cluster.ready().dns.address, 3);
    const pid = pidOf(cluster.ready());
    process.kill(pid, "SIGKILL");
    await until(`${name} is back`, 20_000, () => pidOf(cluster.ready()) !== pid && pidOf(cluster.ready()) > 0);
    await until("the job is known as healthy", 20_000, async () => {
      const { code, stdout } = await cluster.muster("job", "status", "web", "--json");
      return code === 0 && (JSON.parse(stdout) as { data: { healthy: number } }).data.healthy === 3;
    });
    await until("the restarted DNS server names all", 10_000, async () => {
      const { ports } = await askSrv(cluster.ready().dns.address, srv).catch(() => ({ ports: [] }));
      return ports.length === 3;
    });
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(clients.asked).toBeGreaterThan(50);
    const after = await cluster.job("web");
    expect(after.instances.map(({ id, pid: task }) => [id, task])).toEqual(
      before.instances.map(({ id, pid: task }) => [id, task]),
    );
  },
);

test("dev killed with SIGKILL: its components end, tasks run on, and the next dev takes them up", async () => {
  const before = await cluster.job("web");
  const { master, agents, frameworks, dns, dashboard } = cluster.ready();
  const components = [master, ...agents, ...frameworks, dns, dashboard].map(({ pid }) => pid);
  await cluster.kill();
  await until("the components are gone", 5_000, () => {
    const left = new Set(processesOf(cluster.data));
    return !components.some((pid) => left.has(pid));
  });
  for (const { pid } of before.instances) process.kill(pid, 0);
  await cluster.start("--no-example");
  await until("the job is known as healthy", 20_000, async () => (await cluster.job("web")).healthy === 3);
  const after = await cluster.job("web");
  expect(after.instances.map(({ id, pid }) => [id, pid])).toEqual(before.instances.map(({ id, pid }) => [id, pid]));
});

test("a cluster that was stopped brings its jobs back", async () => {
  await cluster.stop();
  expect(processesOf(cluster.data)).toEqual([]);
  await cluster.start("--no-example");
  await until("web is healthy again", 30_000, async () => (await cluster.job("web")).healthy === 3);
});

test("case 13: a job that fits nowhere says why, per agent, in plan and in status", async () => {
  const file = join(cluster.folder, "huge.hcl");
  const text = readFileSync(join(cluster.folder, "web.hcl"), "utf8");
  writeFileSync(file, text.replace('job "web"', 'job "huge"').replace("memory = 64", "memory = 99999999"));
  const plan = await cluster.muster("job", "plan", "huge.hcl", "--json");
  expect(plan.code).toBe(1);
  expect(JSON.parse(plan.stdout).data.rejections).toMatchObject([
    { agent: "agent-1", reason: expect.stringMatching(/memory/) },
  ]);
  expect(await cluster.muster("job", "run", "huge.hcl")).toMatchObject({ code: 2 });
  const status = await cluster.job("huge");
  expect(status).toMatchObject({
    status: "pending",
    rejections: [{ agent: "agent-1", reason: expect.stringMatching(/memory/) }],
  });
  await cluster.muster("job", "stop", "--purge", "--yes", "huge");
});

test("a command that does not exist fails with its reason, and an unknown job with a suggestion", async () => {
  const text = readFileSync(join(cluster.folder, "web.hcl"), "utf8");
  writeFileSync(
    join(cluster.folder, "bad.hcl"),
    text.replace('job "web"', 'job "bad"').replace('command = "node"', 'command = "nodde"'),
  );
  const ran = await cluster.muster("job", "run", "bad.hcl");
  expect(ran.code).toBe(2);
  expect(ran.stderr).toMatch(/nodde/);
  await cluster.muster("job", "stop", "--purge", "--yes", "bad");
  expect(await cluster.muster("job", "status", "wbe")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Did you mean web?"),
  });
});
