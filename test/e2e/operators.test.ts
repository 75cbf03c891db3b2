import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DevCluster, until } from "./dev-cluster.ts";

const cluster = new DevCluster(3_900);

const jobspec = `
job "web" {
  group "web" {
    count = 2
    task "web" {
      driver = "process"
      config {
        command = "sh"
        args = ["-c", "exec sleep 1000"]
      }
      resources { cpu = 10 }
    }
  }
}
`;

beforeAll(async () => {
  await cluster.start("--agents", "2", "--no-example");
  writeFileSync(join(cluster.folder, "web.hcl"), jobspec);
  expect((await cluster.muster("job", "run", "web.hcl")).code).toBe(0);
});
afterAll(() => cluster.remove());

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await cluster.muster(...args, "--json");
  expect(code, `${args.join(" ")}: ${stderr}${stdout}`).toBe(0);
  return (JSON.parse(stdout) as { data: Record<string, unknown> }).data;
}

const where = async (): Promise<string[]> => {
  const { instances } = await cluster.job("web");
  return instances.filter(({ state }) => state === "TASK_RUNNING").map(({ agent }) => agent);
};

test("a drained agent gives its tasks up to the other one, successors first, and takes none until it is reactivated", async () => {
  const [first = ""] = await where();
  const tried = await json("agent", "drain", first, "--dry-run");
  expect(tried["frameworks"]).toEqual([expect.objectContaining({ name: "services" })]);
  const refused = await cluster.muster("agent", "drain", first);
  expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining("--yes")]);
  const drained = await json("agent", "drain", first, "--yes", "--deadline", "5m");
  expect(drained["outcome"]).toBe("drained");
  const places = await where();
  expect(places).toHaveLength(2);
  expect(places).not.toContain(first);
  const { instances } = await cluster.job("web");
  // Had the deadline decided, it would have been the operator who ended them.
  for (const { reason } of instances) expect(reason).not.toContain("drain");
  expect(await json("agent", "status", first)).toMatchObject({ standing: "drained", tasks: 0 });
  await json("agent", "reactivate", first);
  expect(await json("agent", "status", first)).toMatchObject({ standing: "active", drain: null });
});

test("maintenance is planned, shown and cancelled", async () => {
  await json("maintenance", "add", "agent-1", "--in", "2h", "--for", "30m");
  expect(await json("maintenance", "list")).toMatchObject({ windows: [{ agent: "agent-1", durationMs: 1_800_000 }] });
  expect((await cluster.muster("agent", "status", "agent-1")).stdout).toContain("maintained");
  await json("maintenance", "cancel", "agent-1");
  expect(await json("maintenance", "list")).toMatchObject({ windows: [] });
  const vague = await cluster.muster("maintenance", "add", "agent-1");
  expect([vague.code, vague.stderr]).toEqual([64, expect.stringContaining("--in 1h")]);
});

test("a check of the running master finds nothing, and a snapshot has a line for everything", async () => {
  expect(await json("operator", "check")).toMatchObject({ agents: 2, violations: [] });
  const { stdout, code } = await cluster.muster("operator", "snapshot");
  expect(code).toBe(0);
  const kinds = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
  expect(kinds[0]).toBe("master");
  expect(kinds.filter((kind) => kind === "agents")).toHaveLength(2);
  expect(kinds).toContain("tasks");
});

test("an agent that is given up is no more, and its tasks run elsewhere", async () => {
  const gone = await json("agent", "gone", "agent-1", "--yes");
  expect(gone["name"]).toBe("agent-1");
  await until("the tasks on agent-2", 30_000, async () => {
    const places = await where();
    return places.length === 2 && places.every((agent) => agent === "agent-2");
  });
  expect((await cluster.muster("agent", "list")).stdout).not.toContain("agent-1 ");
});
