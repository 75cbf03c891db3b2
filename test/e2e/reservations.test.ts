import { afterAll, beforeAll, expect, test } from "vitest";
import { DevCluster, type Finished } from "./dev-cluster.ts";

const cluster = new DevCluster(4_300);
const dataOf = ({ stdout }: Finished) => (JSON.parse(stdout) as { data: Record<string, unknown> }).data;

beforeAll(async () => {
  await cluster.start("--no-example");
});
afterAll(() => cluster.remove());

test("an operator reserves, makes a volume, removes it and gives all back, and finds it in between", async () => {
  const muster = async (...words: string[]): Promise<Record<string, unknown>> => {
    const done = await cluster.muster(...words, "--json");
    expect(done.code, `${words.join(" ")}: ${done.stdout}${done.stderr}`).toBe(0);
    return dataOf(done);
  };
  const amounts = "cpu=0.1,memory=64,disk=200";
  const tried = await muster("reservation", "create", "agent-1", "eng", amounts, "--dry-run");
  expect(tried).toMatchObject({ id: "", dryRun: true });
  const { id } = await muster("reservation", "create", "agent-1", "eng", amounts, "--label", "owner=db");
  const listed = async () => (await muster("reservation", "list"))["reservations"];
  expect(await listed()).toMatchObject([
    { id, role: "eng", labels: { owner: "db" }, kept: true, idle: { diskMiB: 200 } },
  ]);
  await muster("volume", "create", "agent-1", "db", "--size", "100", "--role", "eng");
  await muster("volume", "resize", "agent-1", "db", "--size", "150");
  expect((await muster("volume", "list"))["volumes"]).toMatchObject([{ id: "db", diskMiB: 150, reservationId: id }]);
  const refused = await cluster.muster("reservation", "delete", String(id), "--json");
  expect(refused.code).not.toBe(0);
  expect(refused.stdout).toContain("destroy db first");
  expect(await muster("agent", "status", "agent-1")).toMatchObject({ setAside: { cpuMillis: 100, diskMiB: 200 } });
  expect((await muster("operator", "check"))["violations"]).toEqual([]);
  await muster("volume", "delete", "agent-1", "db", "--yes");
  await muster("reservation", "delete", String(id));
  expect(await listed()).toEqual([]);
});
