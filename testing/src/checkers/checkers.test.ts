import { emptyMessage, noResources, type Resources } from "@muster/foundation";
import {
  guaranteesCanBeKept,
  limitsKept,
  type MasterView,
  noOverCommit,
  noPortTwice,
  resourcesConserved,
  standingsKept,
} from "@muster/master";
import { type AgentRecord, AgentStanding, type TaskRecord, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { noInstantTwice } from "./cron.ts";
import { LaunchWatch } from "./launches.ts";
import { NamesWatch } from "./names.ts";
import { StatusWatch } from "./statuses.ts";
import { SubnetWatch } from "./subnets.ts";

const cpus = (cpuMillis: number): Resources => ({ ...noResources, cpuMillis });

function anAgent(allocatedMillis: number, offeredMillis: number): AgentRecord {
  const amounts = { total: cpus(1_000), allocated: cpus(allocatedMillis), offered: cpus(offeredMillis) };
  return { ...emptyMessage("AgentRecord"), agentId: "a-1", ...amounts };
}

function aTask(taskId: string, state: TaskState, port: number, launchId = taskId): TaskRecord {
  const ports = [{ ...emptyMessage("AssignedPort"), number: port }];
  const container = { ...emptyMessage("ContainerStatus"), ports };
  const status = { ...emptyMessage("TaskStatus"), taskId, state, container };
  return { ...emptyMessage("TaskRecord"), taskId, launchId, agentId: "a-1", resources: cpus(100), status };
}

function aView(parts: Partial<MasterView>): MasterView {
  return { agents: [], tasks: [], offers: [], overlays: [], roles: [], ...parts };
}

const rules = (violations: readonly { rule: string }[]): string[] => violations.map(({ rule }) => rule);

test("an agent that has given away more than it has is over-committed", () => {
  expect(rules(noOverCommit(aView({ agents: [anAgent(600, 401)] })))).toEqual(["over-commit"]);
  expect(noOverCommit(aView({ agents: [anAgent(600, 400)] }))).toEqual([]);
});

test("an agent's record adds up to its tasks and offers, ended tasks aside", () => {
  const tasks = [aTask("t-1", TaskState.TASK_RUNNING, 1), aTask("t-2", TaskState.TASK_FINISHED, 2)];
  const offers = [{ ...emptyMessage("OfferRecord"), agentId: "a-1", resources: cpus(50) }];
  expect(resourcesConserved(aView({ agents: [anAgent(100, 50)], tasks, offers }))).toEqual([]);
  const wrong = resourcesConserved(aView({ agents: [anAgent(200, 60)], tasks, offers }));
  expect(rules(wrong)).toEqual(["offered-sum", "allocated-sum"]);
});

test("an offer of a deactivated agent is found, and a task on a drained one", () => {
  const { AGENT_STANDING_ACTIVE, AGENT_STANDING_DEACTIVATED, AGENT_STANDING_DRAINED } = AgentStanding;
  const offers = [{ ...emptyMessage("OfferRecord"), agentId: "a-1", offerId: "o-1" }];
  const view = (standing: AgentStanding, taskCount: number) =>
    aView({ agents: [{ ...anAgent(0, 0), standing, taskCount }], offers });
  expect(standingsKept(view(AGENT_STANDING_ACTIVE, 1))).toEqual([]);
  expect(rules(standingsKept(view(AGENT_STANDING_DEACTIVATED, 1)))).toEqual(["offered-inactive"]);
  expect(rules(standingsKept(view(AGENT_STANDING_DRAINED, 1)))).toEqual(["offered-inactive", "drained-busy"]);
});

test("two launches with one port are found, two tasks of one launch are not", () => {
  const running = TaskState.TASK_RUNNING;
  expect(rules(noPortTwice(aView({ tasks: [aTask("t-1", running, 7), aTask("t-2", running, 7)] })))).toEqual([
    "port-twice",
  ]);
  expect(noPortTwice(aView({ tasks: [aTask("t-1", running, 7, "l"), aTask("t-2", running, 7, "l")] }))).toEqual([]);
  expect(noPortTwice(aView({ tasks: [aTask("t-1", running, 7), aTask("t-2", TaskState.TASK_KILLED, 7)] }))).toEqual([]);
});

test("a subnet with two holders, one that changes, and one told to another are found", () => {
  const network = { ...emptyMessage("OverlayNetwork"), name: "blue" };
  const lease = (agentId: string, subnet: string, releasedAt = 0) => ({
    subnet: { ...emptyMessage("OverlaySubnet"), network: "blue", agentId, subnet },
    agentName: agentId,
    releasedAt,
  });
  const view = (...leases: ReturnType<typeof lease>[]): MasterView => {
    const agents = ["a-1", "a-2"].map((agentId) => ({ ...anAgent(0, 0), agentId, name: agentId }));
    return aView({ agents, overlays: [{ ...emptyMessage("OverlayRecord"), network, leases }] });
  };
  const watch = new SubnetWatch();
  const told = [{ host: "a-1", network: "blue", subnet: "10.0.1.0/24" }];
  expect(watch.look(view(lease("a-1", "10.0.1.0/24"), lease("a-2", "10.0.1.0/24", 5)), told)).toEqual([]);
  expect(rules(watch.look(view(lease("a-1", "10.0.1.0/24"), lease("a-2", "10.0.1.0/24")), []))).toEqual([
    "subnet-twice",
  ]);
  expect(rules(watch.look(view(lease("a-1", "10.0.3.0/24")), []))).toEqual(["subnet-changed"]);
  expect(rules(new SubnetWatch().look(view(lease("a-2", "10.0.1.0/24")), told))).toEqual(["subnet-twice"]);
  const untold = new SubnetWatch();
  expect(untold.look(view(lease("a-1", "10.0.2.0/24")), [])).toEqual([]);
  expect(untold.look(view(lease("a-1", "10.0.1.0/24")), told)).toEqual([]);
});

test("a task has one end, which may be told twice", () => {
  const told = (state: TaskState, sequence: number) => ({
    ...emptyMessage("TaskStatus"),
    frameworkId: "f",
    taskId: "t",
    launchId: "l",
    state,
    sequence,
  });
  const watch = new StatusWatch();
  expect(watch.delivered(told(TaskState.TASK_RUNNING, 1))).toEqual([]);
  expect(watch.delivered(told(TaskState.TASK_FINISHED, 2))).toEqual([]);
  expect(watch.delivered(told(TaskState.TASK_FINISHED, 2))).toEqual([]);
  expect(watch.delivered(told(TaskState.TASK_RUNNING, 1))).toEqual([]);
  expect(rules(watch.delivered(told(TaskState.TASK_FAILED, 3)))).toEqual(["two-ends"]);
  expect(rules(watch.delivered(told(TaskState.TASK_RUNNING, 4)))).toEqual(["lives-again"]);
  expect(watch.endOf("f", "t")?.state).toBe(TaskState.TASK_FINISHED);
});

test("a launch starts each attempt of a task once on its agent, and a task lives once", () => {
  const watch = new LaunchWatch();
  const start = { host: "agent-0", taskId: "t", launchId: "l-1", attempt: 0 };
  expect(watch.started(start, [])).toEqual([]);
  expect(rules(watch.started(start, []))).toEqual(["double-launch"]);
  expect(watch.started({ ...start, attempt: 1 }, [])).toEqual([]);
  expect(rules(watch.started({ ...start, host: "agent-1" }, []))).toEqual(["double-launch"]);
  expect(rules(watch.started({ ...start, launchId: "l-2" }, [start]))).toEqual(["two-processes"]);
});

test("a dead name is a violation past its bound, counted from the last hindrance", () => {
  const watch = new NamesWatch({ deadMs: 1_000, missingMs: 5_000, lostMs: 100 });
  const at = (nowMs: number, hinderedAt: number) =>
    rules(
      watch.sample({
        nowMs,
        answers: new Set(["web x"]),
        alive: new Set(),
        hinderedAtMs: () => hinderedAt,
        cutOffAtMs: () => 0,
      }),
    );
  expect(at(0, 0)).toEqual([]);
  expect(at(900, 0)).toEqual([]);
  expect(at(1_500, 700)).toEqual([]);
  expect(at(1_800, 700)).toEqual(["dns-dead"]);
});

test("a name that was answered is not lost while its task lives, and a new one comes within its bound", () => {
  const watch = new NamesWatch({ deadMs: 1_000, missingMs: 5_000, lostMs: 100 });
  const at = (nowMs: number, answers: string[], alive: string[]) =>
    rules(
      watch.sample({
        nowMs,
        answers: new Set(answers),
        alive: new Set(alive),
        hinderedAtMs: () => 0,
        cutOffAtMs: () => 0,
      }),
    );
  expect(at(0, ["a"], ["a", "b"])).toEqual([]);
  expect(at(10, [], ["a", "b"])).toEqual([]);
  expect(at(111, [], ["a", "b"])).toEqual(["dns-lost"]);
  watch.restarted();
  expect(at(120, [], ["a", "b"])).toEqual([]);
  expect(at(5_200, ["a"], ["a", "b"])).toEqual(["dns-missing"]);
});

test("two runs for one instant of one job are found", () => {
  const run = (job: string, plannedAt: number, runId: string) => ({ job, plannedAt, runId });
  expect(noInstantTwice([run("a", 1, "r1"), run("a", 2, "r2"), run("b", 1, "r3")])).toEqual([]);
  expect(rules(noInstantTwice([run("a", 1, "r1"), run("a", 1, "r2")]))).toEqual(["instant-twice"]);
});

test("a role that is offered more than its limit leaves it is found; tasks alone may be above it", () => {
  const role = (allocated: number, offered: number, limit: number, limitedToNone: string[] = []) => ({
    ...emptyMessage("RoleRecord"),
    role: "eng",
    allocated: cpus(allocated),
    offered: cpus(offered),
    limit: cpus(limit),
    limitedToNone,
  });
  const rules = (record: ReturnType<typeof role>, reserved = 0) => {
    const part = { ...emptyMessage("ReservedPart"), resources: cpus(reserved) };
    const offer = { ...emptyMessage("OfferRecord"), role: "eng/ml", resources: record.offered, reserved: [part] };
    return limitsKept(aView({ roles: [record], offers: [offer] })).map(({ rule }) => rule);
  };
  expect(rules(role(1_000, 1_000, 2_000))).toEqual([]);
  expect(rules(role(1_000, 1_001, 2_000))).toEqual(["limit-exceeded"]);
  expect(rules(role(3_000, 0, 2_000))).toEqual([]);
  // What is reserved is offered however much the role has.
  expect(rules(role(3_000, 5, 2_000), 5)).toEqual([]);
  expect(rules(role(3_000, 5, 2_000), 4)).toEqual(["limit-exceeded"]);
  expect(rules(role(3_000, 5, 0))).toEqual([]);
  expect(rules(role(0, 5, 0, ["cpu"]))).toEqual(["limit-exceeded"]);
});

test("a guarantee that could not be kept out of what is free is found", () => {
  const agents = [{ ...emptyMessage("AgentRecord"), agentId: "a", total: cpus(4_000) }];
  const role = { ...emptyMessage("RoleRecord"), role: "eng", guarantee: cpus(5_000) };
  const found = (used: number) => guaranteesCanBeKept(aView({ agents, roles: [{ ...role, allocated: cpus(used) }] }));
  expect(found(1_000)).toEqual([]);
  expect(found(999)).toMatchObject([{ rule: "guarantee-at-risk", subject: "cpu" }]);
});
