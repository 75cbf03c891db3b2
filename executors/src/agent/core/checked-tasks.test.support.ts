import { seededRandom } from "@muster/foundation";
import { CheckAction, type HealthCheck, type PortRequest, type TaskStatus } from "@muster/proto";
import { emptySpec, emptyTaskInfo } from "../empty.ts";
import { coreConfig } from "./core-config.test.support.ts";
import { createState } from "./create-state.ts";
import { nextWakeMs } from "./deadlines.ts";
import type { AgentEffect, AgentInput } from "./effects.ts";
import { type AgentState, type FoundGroup, type Now, plainNetwork } from "./model.ts";
import { stateRecord } from "./recover.ts";
import { step } from "./step.ts";

export const intervalMs = 10_000;

/** A check that kills after two failures in a row, and has no grace. */
export function aCheck(fields: Partial<HealthCheck> = {}): HealthCheck {
  return {
    name: "",
    tcp: { portLabel: "http" },
    intervalMs,
    timeoutMs: 1_000,
    graceMs: 0,
    failuresMax: 2,
    action: CheckAction.CHECK_ACTION_KILL,
    ...fields,
  };
}

/** An agent's core with tasks that run, whose checks go as `isWell` says. Everything else is answered at once. */
export class CheckedTasks {
  state: AgentState;
  nowMs = 1_000;
  isWell: (taskId: string, index: number) => boolean = () => true;
  readonly statuses: TaskStatus[] = [];
  /** Ids of tasks that got a signal, with the time. */
  readonly killed: { taskId: string; atMs: number }[] = [];
  readonly probes: { taskId: string; index: number; atMs: number }[] = [];
  /** Tasks whose checks are never answered, until `answerHanging`. */
  hangs: (taskId: string) => boolean = () => false;
  readonly #hanging: { id: string; index: number }[] = [];
  readonly #seed: string;

  constructor(seed = "checks") {
    this.#seed = seed;
    this.state = this.#fresh();
    this.input({ type: "registered" });
  }

  launch(
    taskId: string,
    jobName = "web",
    checks: HealthCheck[] = [aCheck()],
    ports: PortRequest[] = [{ label: "http", number: 0, to: 0, protocol: "", hostNetwork: "" }],
  ): void {
    const spec = { ...emptySpec(), command: "serve", jobName, groupName: "g", healthChecks: checks };
    this.input({
      type: "launch",
      launch: {
        frameworkId: "f",
        frameworkName: "services",
        role: "web",
        launchId: `launch-${taskId}`,
        networkMode: "host",
        network: plainNetwork,
        ports,
        tasks: [{ info: { ...emptyTaskInfo, taskId }, spec, problem: "" }],
      },
    });
  }

  /** Lets time pass: timers go off and probes are answered. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const at = nextWakeMs(this.state, this.#now()) ?? Number.POSITIVE_INFINITY;
      if (at > untilMs) break;
      this.nowMs = Math.max(this.nowMs, at);
      this.input({ type: "wake" });
    }
    this.nowMs = untilMs;
  }

  /** The oldest checks that hang fail at last. */
  answerHanging(count: number): void {
    for (const { id, index } of this.#hanging.splice(0, count))
      this.input({ type: "probed", id, index, result: { passed: false, message: "no answer" } });
  }

  end(taskId: string): void {
    const task = this.state.named.get(`f/${taskId}`)?.find(({ phase }) => phase !== "ended");
    if (task) this.input({ type: "exited", id: task.id, exit: { exitCode: 0, signal: "", at: this.#now().epochMs } });
  }

  /** The agent's program dies, and the next one finds what was written. Tasks go on. */
  restart(): void {
    const groups: FoundGroup[] = [...this.state.groups.values()].map((group) => ({
      key: group.key,
      damaged: false,
      intent: {
        ...group,
        agentId: "agent-1",
        epoch: 1,
        bootId: "boot-1",
        tasks: group.tasks.map(({ info, spec }) => ({ info, spec })),
      },
      states: new Map(group.tasks.map((task, index) => [index, JSON.parse(JSON.stringify(stateRecord(task)))])),
    }));
    const running = new Map([...this.state.tasks].map(([id, task]) => [id, task.started]));
    this.state = this.#fresh();
    this.input({ type: "recovered", groups });
    for (const [id, task] of this.state.tasks) {
      const started = running.get(id);
      if (task.phase === "starting" && started) this.input({ type: "started", id, started });
    }
    this.input({ type: "registered" });
  }

  healths(taskId: string): number[] {
    return this.statuses.filter((status) => status.taskId === taskId).map(({ health }) => health);
  }

  input(input: AgentInput): void {
    for (const effect of step(this.state, input, this.#now())) this.#answer(effect);
  }

  #answer(effect: AgentEffect): void {
    switch (effect.type) {
      case "check-ports":
        this.input({ type: "ports-checked", key: effect.key, taken: [] });
        return;
      case "persist-intent":
      case "persist-state":
        if (effect.purpose) this.input({ type: "durable", purpose: effect.purpose });
        return;
      case "spawn": {
        const started = { pid: 7, startTicks: 1, shimPid: 6, shimStartTicks: 1, at: this.#now().epochMs };
        this.input({ type: "started", id: effect.spec.id, started });
        return;
      }
      case "signal":
        this.killed.push({ taskId: this.#nameOf(effect.id), atMs: this.nowMs });
        return;
      case "probe": {
        const taskId = this.#nameOf(effect.id);
        this.probes.push({ taskId, index: effect.index, atMs: this.nowMs });
        if (this.hangs(taskId)) {
          this.#hanging.push({ id: effect.id, index: effect.index });
          return;
        }
        const passed = this.isWell(taskId, effect.index);
        this.input({ type: "probed", id: effect.id, index: effect.index, result: { passed, message: "" } });
        return;
      }
      case "send": {
        const { frameworkId, taskId, updateId } = effect.status;
        this.statuses.push(effect.status);
        this.input({ type: "acknowledged", frameworkId, taskId, updateId });
        return;
      }
    }
  }

  #nameOf(id: string): string {
    return this.state.tasks.get(id)?.info.taskId ?? "";
  }

  #now(): Now {
    return { monotonicMs: this.nowMs, epochMs: 1_700_000_000_000 + this.nowMs };
  }

  #fresh(): AgentState {
    return createState(coreConfig, { first: 20_000, last: 29_999, reuseAfterMs: 0 }, seededRandom(this.#seed), 0);
  }
}
