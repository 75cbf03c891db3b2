import { emptyMessage, resources } from "@muster/foundation";
import { StatusReason } from "@muster/proto";
import { expect, test } from "vitest";
import { Lab, service, submission } from "../virtual/lab.ts";

/** A job of a role with a priority, each instance of 500 milli-CPU. */
const job = (name: string, role: string, priority: string, count: number, group = ""): string =>
  service(name, { count, cpu: 500, group, args: ["serve"] }).replace(
    `job "${name}" {`,
    `job "${name}" {\n  role = "${role}"\n  priority = "${priority}"`,
  );

/** Three agents of 2,000 milli-CPU, and a role that is promised half of that. */
function aLab(): Lab {
  const lab = new Lab({ agents: 3, cpuMillis: 2_000, roles: ["default", "prod"] }).start();
  lab.submit(job("filler", "default", "batch", 12, "migrate {\n max_parallel = 2\n }"));
  lab.until(() => lab.alive().length === 12);
  const guarantee = resources({ cpuMillis: 3_000, memoryMiB: 1_000 });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod", guarantee, force: true });
  return lab;
}

const countOf = (lab: Lab, name: string): number =>
  lab.alive().filter(({ taskId }) => taskId.startsWith(`${name}.`)).length;

test("a production job gets what its role is promised, and the batch job that made room for it says so", () => {
  const lab = aLab();
  lab.submit(job("web", "prod", "production", 3));
  lab.until(() => countOf(lab, "web") === 2, 20_000);
  // The budget of the batch job is used up: what it has lost finds no other place.
  lab.run(100_000);
  expect(countOf(lab, "web")).toBe(2);
  expect(countOf(lab, "filler")).toBe(10);
  const { job: status } = lab.call("Jobs.Get", { name: "filler" });
  const ended = status?.instances.filter(({ reason }) => reason.includes("preempted for services in role prod"));
  expect(ended?.length).toBe(2);
  expect(status?.message).not.toContain("restart");
  const records = lab.tasks().filter(({ preemptedForRole }) => preemptedForRole === "prod");
  for (const record of records)
    expect(record).toMatchObject({ priority: 30, status: { reason: StatusReason.REASON_PREEMPTED } });
  // Room comes back: what was preempted starts at once, without a delay for having failed.
  lab.call("Jobs.Stop", { name: "web", purge: true });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod" });
  lab.until(() => countOf(lab, "filler") === 12, 10_000);
});

test("a job of equal class waits, however much its role is promised", () => {
  const lab = aLab();
  lab.submit(job("web", "prod", "batch", 2));
  lab.run(120_000);
  expect(countOf(lab, "web")).toBe(0);
  expect(countOf(lab, "filler")).toBe(12);
});

test("nobody is ended where it would be of no use: on agents that the job can't use", () => {
  const lab = aLab();
  const elsewhere = `constraint {
      attribute = "\${node.unique.id}"
      value     = "nowhere"
    }`;
  lab.submit(job("web", "prod", "system", 1, elsewhere));
  lab.run(120_000);
  expect(countOf(lab, "filler")).toBe(12);
});

test("a migrate block is a job's budget: none with 0", () => {
  const lab = new Lab({ agents: 3, cpuMillis: 2_000, roles: ["default", "prod"] }).start();
  lab.submit(job("filler", "default", "batch", 12, "migrate {\n max_parallel = 0\n }"));
  lab.until(() => lab.alive().length === 12);
  const guarantee = resources({ cpuMillis: 3_000, memoryMiB: 1_000 });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod", guarantee, force: true });
  lab.submit(job("web", "prod", "system", 1));
  lab.run(60_000);
  expect(countOf(lab, "filler")).toBe(12);
});

test("a run of a batch job that is preempted begins anew, and has not failed", () => {
  const lab = new Lab({ agents: 1, cpuMillis: 1_000, roles: ["default", "prod"] }).start();
  const long = `job "long" {
  type     = "batch"
  priority = "best-effort"
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ["for", "100000"]
      }
      resources {
        cpu    = 800
        memory = 64
      }
    }
  }
}`;
  lab.submit(long);
  lab.until(() => lab.alive().length === 1);
  const guarantee = resources({ cpuMillis: 500, memoryMiB: 500 });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod", guarantee, force: true });
  lab.submit(job("web", "prod", "production", 1));
  lab.until(() => countOf(lab, "web") === 1, 60_000);
  expect(lab.alive().length).toBe(1);
  expect(lab.call("Jobs.Runs", { name: "long" }).runs).toMatchObject([{ endedAt: 0 }]);
  lab.call("Jobs.Stop", { name: "web", purge: true });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod" });
  lab.until(() => lab.alive().length === 1 && countOf(lab, "web") === 0, 30_000);
});

/** A batch job, each instance of 500 milli-CPU, that runs for as long as anybody looks. */
const batch = (name: string, count: number, group: string, more = ""): string =>
  service(name, { count, cpu: 500, group, args: ["for", "100000000"] }).replace(
    `job "${name}" {`,
    `job "${name}" {\n  type = "batch"\n  priority = "batch"\n  ${more}`,
  );

/** A role that is promised three instances of 500 milli-CPU, and a job of it that wants them. */
function wantThree(lab: Lab, name = "web"): void {
  const guarantee = resources({ cpuMillis: 1_500, memoryMiB: 500 });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod", guarantee, force: true });
  lab.submit(job(name, "prod", "production", 3));
}

test("a migrate block is the budget of a batch job too: no more of its runs are missing than it says", () => {
  const lab = new Lab({ agents: 2, cpuMillis: 2_000, roles: ["default", "prod"] }).start();
  const text = batch("sums", 8, "migrate {\n max_parallel = 2\n }");
  lab.submit(text);
  lab.until(() => lab.alive().length === 8);
  expect(lab.tasks()[0]).toMatchObject({ preemptionBudget: "sums/g", preemptedMax: 2 });
  wantThree(lab);
  lab.until(() => countOf(lab, "web") === 2, 60_000);
  lab.run(120_000);
  expect([countOf(lab, "web"), lab.alive().length]).toEqual([2, 8]);
  // A change of it is a change of the job, which a plan tells.
  const less = batch("sums", 8, "migrate {\n max_parallel = 1\n }");
  expect(lab.call("Jobs.Plan", submission(less)).changes).toEqual([
    { path: "groups[g].migrate.maxParallel", before: "2", after: "1" },
  ]);
  // What was preempted begins anew as soon as there is room: then its budget is whole again.
  lab.call("Jobs.Stop", { name: "web", purge: true });
  lab.call("Operator.SetQuota", { ...emptyMessage("SetQuotaRequest"), role: "prod" });
  lab.until(() => lab.alive().length === 8 && countOf(lab, "web") === 0, 60_000);
  wantThree(lab, "again");
  lab.until(() => countOf(lab, "again") === 2, 60_000);
});

test("a batch job with a budget of none is never preempted", () => {
  const lab = new Lab({ agents: 2, cpuMillis: 2_000, roles: ["default", "prod"] }).start();
  lab.submit(batch("sums", 8, "migrate {\n max_parallel = 0\n }"));
  lab.until(() => lab.alive().length === 8);
  wantThree(lab);
  lab.run(120_000);
  expect(countOf(lab, "web")).toBe(0);
});

test("the dispatches of a job share its budget, also under the next master", () => {
  const lab = new Lab({ agents: 2, cpuMillis: 2_000, roles: ["default", "prod"] }).start();
  lab.submit(batch("sums", 2, "migrate {\n max_parallel = 1\n }", "parameterized { }"));
  for (let n = 0; n < 4; n++) lab.call("Jobs.Dispatch", { ...emptyMessage("DispatchRequest"), name: "sums" });
  lab.until(() => lab.alive().length === 8);
  wantThree(lab);
  lab.until(() => countOf(lab, "web") === 1, 60_000);
  lab.run(60_000);
  lab.cluster.master.program.crash();
  lab.run(200_000);
  expect(countOf(lab, "web")).toBe(1);
});

test("a plan knows who would be ended for what finds no room, and ends nobody", () => {
  const lab = aLab();
  const text = job("web", "prod", "production", 3);
  // What the plan knows of agents comes with the feed.
  lab.run(1_000);
  const [waiting] = lab.call("Jobs.Plan", submission(text)).waiting;
  expect(waiting).toMatchObject({ group: "g", count: 3, agentIds: [] });
  const { resources: wanted = null, count = 0 } = waiting ?? {};
  const about = { jobType: "service", role: "prod", priority: 80, resources: wanted, count, agentIds: [] };
  const { rooms, reason } = lab.call("Operator.ForeseeRoom", about);
  // As many as the budget of the job allows.
  expect(rooms.map(({ ends }) => ends.map(({ job: owner, role }) => [owner, role]))).toEqual([
    [["filler", "default"]],
    [["filler", "default"]],
  ]);
  expect(reason).toContain("budget");
  lab.run(10_000);
  expect(countOf(lab, "filler")).toBe(12);
  lab.submit(text);
  lab.until(() => countOf(lab, "web") === 2, 20_000);
  const foreseen = rooms.flatMap(({ ends }) => ends.map(({ taskId }) => taskId));
  const ended = lab.tasks().flatMap(({ taskId, preemptedForRole }) => (preemptedForRole === "prod" ? taskId : []));
  expect(ended).toHaveLength(2);
  expect(foreseen.some((taskId) => ended.includes(taskId))).toBe(true);
});

test("without a guarantee nobody would be ended, and it is said why", () => {
  const lab = aLab();
  const about = {
    jobType: "service",
    role: "default",
    priority: 80,
    resources: resources({ cpuMillis: 500 }),
    count: 1,
  };
  expect(lab.call("Operator.ForeseeRoom", about)).toEqual({ rooms: [], reason: "role default has no guarantee" });
  const other = lab.call("Operator.ForeseeRoom", { ...about, jobType: "unheard" });
  expect(other.reason).toBe("no framework runs unheard jobs in role default");
  expect(() => lab.call("Operator.ForeseeRoom", { ...about, count: 0 })).toThrow("count");
});
