import { type FrameworkDefinition, runFramework } from "@muster/framework-sdk";
import type { TaskRecord } from "@muster/proto";
import { TaskState } from "@muster/proto";
import type { Behaviour } from "../world/host-processes.ts";
import { Inspector } from "./inspector.ts";
import type { Program } from "./program.ts";
import { masterAddress, SimCluster } from "./sim-cluster.ts";

/** What a command does: it serves its ports until it is told to end, unless said otherwise. */
export interface CommandBehaviour {
  /** Ends by itself after so long. Default: never. */
  readonly runsForMs?: number;
  /** With this exit code. Default: 0. */
  readonly exitCode?: number;
  /** False: it can't be started. Default: true. */
  readonly canStart?: boolean;
}

export interface TestClusterOptions<S> {
  /** The same seed gives the same run. Default: 1. */
  readonly seed?: number;
  /** How many agents. Default: 3. */
  readonly agents?: number;
  /** Of each agent. Default: 4,000 and 8,192. */
  readonly cpuMillis?: number;
  readonly memoryMiB?: number;
  readonly framework: FrameworkDefinition<S>;
  /** Default: every command serves until it is told to end. */
  readonly behave?: (program: string, args: readonly string[]) => CommandBehaviour;
}

/** One program of the cluster. */
export interface TestProgram {
  /** Ends it as kill -9 would; its supervisor starts it again within seconds. Tasks of an agent run on. */
  kill(): void;
}

export interface TestAgent extends TestProgram {
  /** The whole machine loses its power, and its tasks with it; it is back after 10 s. */
  crash(): void;
  /** Nothing reaches the agent or leaves it until `heal`. */
  disconnect(): void;
  heal(): void;
}

/** A whole cluster with one framework, in virtual time. */
export interface TestCluster {
  /** Lets time pass: milliseconds, or "500ms", "10s", "3m", "1h". */
  advance(time: number | string): void;
  /** Lets time pass until nothing has changed for 15 s, at most for 10 virtual minutes. */
  settle(): void;
  /** Tasks that run, as the master knows them. */
  running(): readonly TaskRecord[];
  /** Every task that the master knows, ended ones of late included. */
  tasks(): readonly TaskRecord[];
  agent(index: number): TestAgent;
  leader(): TestProgram;
  /** The framework's own process. */
  framework(): TestProgram;
  /** Throws if anything has been seen that must never be. */
  assertInvariants(): void;
}

const bootMs = 10_000;
const settledMs = 15_000;
const settleMsMax = 600_000;
const lookMs = 500;

/** Starts it: the shipped master, agents and SDK, over a simulated network, store, disks and commands. */
export function testCluster<S>(options: TestClusterOptions<S>): TestCluster {
  const { seed = 1, agents = 3, framework, behave = () => ({}) } = options;
  const cluster = new SimCluster({
    seed,
    agents,
    ...(options.cpuMillis === undefined ? {} : { cpuMillis: options.cpuMillis }),
    ...(options.memoryMiB === undefined ? {} : { memoryMiB: options.memoryMiB }),
    behave: (spec) => complete(behave(spec.command, spec.arguments)),
  });
  const inspector = new Inspector(cluster);
  const program = cluster.addProgram("framework", "framework", (life) => {
    runFramework(framework, { address: masterAddress, runtime: cluster.runtimeOf(life) });
  });
  cluster.start();
  inspector.start();
  const tasks = (): readonly TaskRecord[] => cluster.master.view()?.tasks ?? [];
  const killable = (killed: Program): TestProgram => ({ kill: () => void killed.crash() });
  return {
    tasks,
    running: () => tasks().filter(({ status }) => status?.state === TaskState.TASK_RUNNING),
    advance: (time) => cluster.run(typeof time === "number" ? time : milliseconds(time)),
    settle: () => settle(cluster, tasks),
    agent: (index) => agentOf(cluster, index),
    leader: () => killable(cluster.master.program),
    framework: () => killable(program),
    assertInvariants: () => {
      const found = [...cluster.violations.all, ...inspector.inspect()];
      if (found.length === 0) return;
      const lines = found.map(({ rule, subject, detail }) => `${rule}: ${subject}: ${detail}`);
      throw new Error(`seed ${seed} breaks invariants:\n${lines.join("\n")}`);
    },
  };
}

function complete({ runsForMs, exitCode = 0, canStart = true }: CommandBehaviour): Behaviour {
  return { runsForMs, exitCode, canStart, isDeaf: false, attaches: false, listens: true };
}

function agentOf(cluster: SimCluster, index: number): TestAgent {
  const host = cluster.agents[index];
  if (host === undefined) throw new RangeError(`there is no agent ${index}: there are ${cluster.agents.length}`);
  const others = cluster.programs.map(({ name }) => name).filter((name) => name !== host.name);
  return {
    kill: () => void host.program.crash(),
    crash: () => void host.reboot(bootMs),
    disconnect: () => {
      for (const other of others) {
        cluster.links.cut(host.name, other);
        cluster.links.cut(other, host.name);
      }
    },
    heal: () => {
      for (const other of others) {
        cluster.links.heal(host.name, other);
        cluster.links.heal(other, host.name);
      }
    },
  };
}

function settle(cluster: SimCluster, tasks: () => readonly TaskRecord[]): void {
  const endsAtMs = cluster.world.nowMs + settleMsMax;
  let picture = "";
  let sinceMs = cluster.world.nowMs;
  while (cluster.world.nowMs - sinceMs < settledMs) {
    if (cluster.world.nowMs >= endsAtMs) throw new Error(`the cluster did not settle within ${settleMsMax} ms`);
    cluster.run(lookMs);
    const isLed = cluster.master.view() !== undefined;
    const now = tasks()
      .map(({ taskId, status }) => `${taskId} ${status?.state} ${status?.health}`)
      .join();
    if (isLed && now === picture) continue;
    picture = now;
    sinceMs = cluster.world.nowMs;
  }
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function milliseconds(time: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(time) ?? [];
  const factor = units[unit ?? ""];
  if (amount === undefined || factor === undefined)
    throw new RangeError(`"${time}" is no time: write 500ms, 10s, 3m or 1h`);
  return Number(amount) * factor;
}
