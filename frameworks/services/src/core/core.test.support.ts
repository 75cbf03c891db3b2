import {
  AgentStanding,
  AgentState,
  type ClusterAgent,
  emptyMessage,
  Health,
  isTerminal,
  isUsable,
  type Offer,
  resources,
  StatusReason,
  seededRandom,
  type TaskGroup,
  TaskState,
  type TaskStatus,
} from "@muster/framework-sdk";
import { canonicalJson, compileJob, type Job } from "@muster/jobspecs";
import { deploymentOf, noteEnd } from "./deployments.ts";
import { DisksOfAgents } from "./disks.test.support.ts";
import { launchWants } from "./launching.ts";
import { emptyState, type Instance, type JobEntry, type Now, type ServicesState, type VersionCause } from "./model.ts";
import { planVolumes } from "./plan-volumes.ts";
import { commit, proposeVersion } from "./proposals.ts";
import { jobWrite, loadRecords, restartsWrite, versionWrite, volumeWrite } from "./records.ts";
import { places } from "./report.ts";
import { type JobPlan, planJob } from "./rollout.ts";
import { takeStatus } from "./statuses.ts";
import { readJob } from "./versions.ts";
import { addVolumes, dropVolumes, goneVolumes, releaseVolumes } from "./volumes.ts";

/** A group of one task; `group` and `task` are lines of HCL to put there. */
export function jobText(
  name: string,
  options: { count?: number; group?: string; task?: string; head?: string } = {},
): string {
  return `job "${name}" {
  ${options.head ?? ""}
  group "g" {
    count = ${options.count ?? 1}
    ${options.group ?? ""}
    task "t" {
      driver = "process"
      config {
        command = "sleep"
        args = ["1000"]
      }
      ${options.task ?? ""}
      resources {
        cpu = 100
        memory = 100
      }
    }
  }
}
`;
}

/** Lines of a group with a port, and a check that asks it. */
export const checkedPort = `network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type = "tcp"
        interval = "5s"
        timeout = "2s"
      }
    }`;

export function compiledJob(text: string): Job {
  const { job, diagnostics } = compileJob({ file: "job.hcl", text });
  if (!job) throw new Error(JSON.stringify(diagnostics));
  return job;
}

export const definitionOf = (text: string): string => canonicalJson(compiledJob(text));

export function anAgent(
  agentId: string,
  cpuMillis = 10_000,
  memoryMiB = 10_000,
  attributes: [string, string][] = [],
): ClusterAgent {
  const total = resources({ cpuMillis, memoryMiB, portCount: 100 });
  return {
    agentId,
    name: agentId,
    ip: "10.0.0.1",
    address: `${agentId}:5051`,
    state: AgentState.AGENT_STATE_REGISTERED,
    total,
    allocated: resources({}),
    offered: resources({}),
    free: total,
    attributes: new Map(attributes),
    portsTaken: new Set(),
    portsInPart: new Map(),
    drivers: ["process"],
    networkModes: ["host"],
    standing: AgentStanding.AGENT_STANDING_ACTIVE,
    reservationIds: new Set(),
    volumeIds: new Set(),
    maintenanceAt: 0,
    setAside: resources({}),
    reservedRoles: [],
  };
}

/** The core with a world around it that does what it is told: time moves by `advance` alone. */
export class SmallWorld {
  state: ServicesState = { ...emptyState(seededRandom("secrets")), epoch: 1, isReconciled: true };
  now: Now = { monotonicMs: 1_000, epochMs: 1_700_000_000_000 };
  readonly agents = new Map<string, ClusterAgent>();
  /** Ids of the tasks launched, in order. */
  readonly launched: string[] = [];
  /** The groups launched, in order. */
  readonly groups: TaskGroup[] = [];
  readonly killed: string[] = [];
  /** Ids of the tasks that their agents were let end for their failing checks. */
  readonly unhealthy: string[] = [];
  /** Killed tasks end at once. */
  endsKilled = true;
  /** Which agents are offered. */
  offering: (agentId: string) => boolean = () => true;
  /** What is reserved on agents, and volumes there. */
  readonly disks = new DisksOfAgents(this.agents);
  readonly #sequences = new Map<string, number>();
  #offerCount = 0;

  constructor(...agents: readonly ClusterAgent[]) {
    for (const agent of agents) this.agents.set(agent.agentId, agent);
  }

  run(text: string, cause: VersionCause = "run"): JobEntry {
    const definition = definitionOf(text);
    const job = readJob(definition);
    const proposal = proposeVersion(this.state, job.id, { job, definition, source: text, cause }, this.now);
    return commit(this.state, proposal, 1, this.now);
  }

  stop(name: string, isWiped = false): void {
    const entry = this.entry(name);
    const { job, record } = entry.current;
    const made = { job, definition: record.definition, source: record.source, cause: "stop" } as const;
    commit(this.state, proposeVersion(this.state, name, made, this.now, { isStopped: true, isWiped }), 1, this.now);
  }

  entry(name: string): JobEntry {
    const entry = this.state.jobs.get(name);
    if (!entry) throw new Error(`no job ${name}`);
    return entry;
  }

  /** One pass of decisions for every job, with offers of all agents. */
  settle(): void {
    for (const entry of this.state.jobs.values()) {
      const plan = planJob(this.state, entry, this.now, this.agents);
      noteEnd(entry, plan.isStable, this.now);
      for (const instance of plan.kills) this.#kill(instance);
      for (const { taskId } of plan.healthKills) {
        this.unhealthy.push(taskId);
        this.tell(taskId, TaskState.TASK_FAILED, { reason: StatusReason.REASON_UNHEALTHY });
      }
      for (const instance of plan.ends) {
        instance.isEnding = true;
        for (const { taskId, state } of [...instance.tasks.values()]) if (!isTerminal(state)) this.#end(taskId);
      }
      const offered = [...this.agents.values()].filter((agent) => isUsable(agent) && this.offering(agent.agentId));
      const offers = offered.map((agent) => this.#offer(agent));
      this.#settleVolumes(entry, plan, offers);
      const { answers } = launchWants(this.state, plan.wants, offers, places(this.agents), seededRandom("x"), this.now);
      for (const { offerIds, groups, before, after } of answers) {
        const agentId = offers.find(({ offerId }) => offerIds.includes(offerId))?.agentId ?? "";
        this.disks.change(agentId, before);
        for (const group of groups) {
          this.groups.push(group);
          this.disks.use(agentId, group);
          for (const task of group.tasks) this.launched.push(task.taskId);
        }
        this.disks.change(agentId, after);
      }
    }
    for (const { record } of goneVolumes(this.state, this.agents, true, this.now))
      this.state.released.delete(record.volumeId);
  }

  /** State answers at once. */
  #settleVolumes(entry: JobEntry, plan: JobPlan, offers: readonly Offer[]): void {
    releaseVolumes(this.state, entry, plan.released, this.now, true);
    dropVolumes(entry, plan.vanished);
    for (const one of this.state.released.values()) one.isMarked = true;
    const offered = { offers, others: places(this.agents), random: seededRandom("volumes") };
    for (const one of planVolumes(this.state, plan.wants, offered, this.now))
      addVolumes(entry, [{ ...one, isKept: true }]);
  }

  /** Settles again and again while time passes, in steps. */
  advance(ms: number, stepMs = 100, each: () => void = () => {}): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      const { monotonicMs, epochMs } = this.now;
      this.now = { monotonicMs: monotonicMs + stepMs, epochMs: epochMs + stepMs };
      this.settle();
      each();
    }
  }

  tell(taskId: string, state: TaskState, fields: Partial<TaskStatus> = {}): void {
    const sequence = (this.#sequences.get(taskId) ?? 0) + 1;
    this.#sequences.set(taskId, sequence);
    const instance = this.state.byTask.get(taskId);
    const status: TaskStatus = {
      ...emptyMessage("TaskStatus"),
      taskId,
      launchId: instance?.launchId ?? "",
      agentId: instance?.agentId ?? "",
      state,
      sequence,
      at: this.now.epochMs,
      ...fields,
    };
    takeStatus(this.state, status, this.now);
    if (isTerminal(state)) this.disks.leave(status.launchId);
  }

  /** Everything that was launched and lives runs now. */
  startAll(health: Health = Health.HEALTH_UNSPECIFIED): void {
    for (const [taskId, instance] of [...this.state.byTask])
      if (!instance.isKilling && instance.tasks.get(taskId)?.state !== TaskState.TASK_RUNNING)
        this.tell(taskId, TaskState.TASK_RUNNING, { health });
  }

  fail(taskId: string, reason: StatusReason = StatusReason.REASON_COMMAND_EXITED): void {
    this.tell(taskId, TaskState.TASK_FAILED, { reason, exitCode: 1, message: "exit code 1" });
  }

  jobNames(): string[] {
    return [...this.state.jobs.keys()];
  }

  live(name: string): Instance[] {
    return [...this.entry(name).instances.values()].filter(({ isKilling }) => !isKilling);
  }

  /** Of which versions the instances are that live. */
  versions(name: string): number[] {
    const all = this.live(name).map(({ version }) => version);
    return all.sort();
  }

  /** Somebody promotes its canaries. */
  promote(name: string): void {
    const { record } = this.entry(name).current;
    record.deployment = { ...deploymentOf(record), promoted: ["g"] };
  }

  #kill(instance: Instance): void {
    instance.isKilling = true;
    for (const taskId of [...instance.tasks.keys()]) this.#end(taskId);
  }

  #end(taskId: string): void {
    this.killed.push(taskId);
    if (this.endsKilled) this.tell(taskId, TaskState.TASK_KILLED, { reason: StatusReason.REASON_KILLED_BY_FRAMEWORK });
  }

  #offer(agent: ClusterAgent): Offer {
    return {
      ...emptyMessage("Offer"),
      offerId: `o${++this.#offerCount}`,
      agentId: agent.agentId,
      agentName: agent.name,
      role: "default",
      resources: agent.free,
      ...this.disks.offered(agent.agentId),
      attributes: [...agent.attributes].map(([name, value]) => ({ name, value })),
      portsTaken: [...agent.portsTaken],
      portsInPart: [...agent.portsInPart.values()].flat(),
      unavailability: agent.maintenanceAt > 0 ? { startAt: agent.maintenanceAt, durationMs: 3_600_000 } : null,
    };
  }
}

/** The framework starts anew: all it has is what State holds, and what it is told. */
export function restartFramework(world: SmallWorld, name: string): void {
  const { current, history, isStopped, isPurged, wipedVersion } = world.entry(name);
  const record = (write: { key: string; put?: Buffer }) => ({
    key: write.key,
    value: write.put ?? Buffer.alloc(0),
    version: 1,
  });
  const job = jobWrite(name, 0, { version: current.record.version, isStopped, isPurged, wipedVersion });
  const versions = [current, ...history].map((one) => versionWrite(name, one.record));
  const kept = restartsWrite(world.entry(name));
  const { epoch } = world.state;
  const before = [...world.entry(name).volumes.values()].flat().map((one) => one.record);
  world.state = { ...emptyState(seededRandom("secrets")), epoch: epoch + 1 };
  const volumes = before.map((one) => record(volumeWrite(one, false)));
  const faults = loadRecords(world.state, [[record(job)], versions.map(record), [record(kept)], volumes], world.now);
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
}
