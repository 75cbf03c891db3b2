import { createCron } from "@muster/cron";
import type { ProcSpec } from "@muster/executors";
import { emptyMessage, type MusterError, type RequestOf, type ResponseOf, type Result } from "@muster/foundation";
import { canonicalJson } from "@muster/jobspecs";
import type { SubscribeRequest, SubscribeResponse, TaskRecord } from "@muster/proto";
import { createServices } from "@muster/services";
import { Inspector, masterAddress, type Program, SimCluster, type SimClusterOptions } from "@muster/testing";
import { checkedPort, compiledJob } from "../../frameworks/services/src/core/core.test.support.ts";

export { checkedPort };

type Unary =
  | "Operator.SetQuota"
  | "Operator.ForeseeRoom"
  | "Operator.ListAgents"
  | "Operator.Drain"
  | `Jobs.${"Run" | "Plan" | "Get" | "List" | "Stop" | "Scale" | "Runs" | "Force" | "History" | "Promote" | "Deployments" | "Steer" | "Dispatch" | "Rebalance"}`;

export interface LabOptions extends Omit<SimClusterOptions, "seed"> {
  readonly seed?: number;
  /** Default: "default" alone. */
  readonly roles?: readonly string[];
  /** Default: both. */
  readonly frameworks?: readonly ("services" | "cron")[];
}

/** A message on a framework's stream, with when and by whom it was sent. */
export interface Overheard {
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly message: Partial<SubscribeRequest> & Partial<SubscribeResponse>;
}

const callTimeoutMs = 10_000;

/** The shipped master, agents and frameworks in virtual time, and somebody who makes calls. */
export class Lab {
  readonly cluster: SimCluster;
  readonly inspector: Inspector;
  readonly services: Program | undefined;
  readonly cron: Program | undefined;
  readonly overheard: Overheard[] = [];
  readonly #caller;

  constructor({
    seed = 1,
    agents = 3,
    frameworks = ["services", "cron"],
    roles = ["default"],
    ...options
  }: LabOptions = {}) {
    this.cluster = new SimCluster({ seed, agents, ...options });
    this.inspector = new Inspector(this.cluster);
    const { cluster } = this;
    const add = (name: "services" | "cron", create: typeof createServices | typeof createCron): Program | undefined =>
      frameworks.includes(name)
        ? cluster.addProgram(name, name, (life) =>
            create(cluster.runtimeOf(life), { address: masterAddress, roles }).start(),
          )
        : undefined;
    this.services = add("services", createServices);
    this.cron = add("cron", createCron);
    const inspect = cluster.network.onMessage ?? (() => {});
    cluster.network.onMessage = (method, from, to, message) => {
      inspect(method, from, to, message);
      if (method !== "Scheduling.Subscribe") return;
      const read = message as Overheard["message"];
      this.overheard.push({ atMs: this.nowMs, from: from.name, to: to.name, message: read });
    };
    this.#caller = cluster.network.transportOf(cluster.world.begin("operator"));
  }

  /** Starts everything, and waits until it is there. */
  start(): this {
    this.cluster.start();
    this.inspector.start();
    this.run(5_000);
    return this;
  }

  get nowMs(): number {
    return this.cluster.world.nowMs;
  }

  /** Lets time pass, and fails if anything is seen that must never be. */
  run(forMs: number): void {
    this.cluster.run(forMs);
    const [first] = this.cluster.violations.all;
    if (first) throw new Error(`${first.rule}: ${first.subject}: ${first.detail}`);
  }

  /** Lets time pass step by step until something is so. */
  until(isSo: () => boolean, mostMs = 60_000, stepMs = 10): void {
    const endsAtMs = this.nowMs + mostMs;
    while (!isSo()) {
      if (this.nowMs >= endsAtMs) throw new Error(`not so within ${mostMs} ms: ${isSo}`);
      this.run(stepMs);
    }
  }

  /** Makes a call without waiting for its answer. */
  ask<M extends Unary>(method: M, request: Partial<RequestOf<M>>): { result: Result<ResponseOf<M>> | undefined } {
    const asked: { result: Result<ResponseOf<M>> | undefined } = { result: undefined };
    this.cluster.world.after(undefined, 0, "call", () =>
      this.#caller.call(method, masterAddress, request as RequestOf<M>, callTimeoutMs, (result) => {
        asked.result = result;
      }),
    );
    return asked;
  }

  /** Makes a call and waits. Throws what it is refused with. */
  call<M extends Unary>(method: M, request: Partial<RequestOf<M>>): ResponseOf<M> {
    const asked = this.ask(method, request);
    this.until(() => asked.result !== undefined, callTimeoutMs + 1_000, 1);
    if (asked.result?.ok !== true) throw asked.result?.error as MusterError;
    return asked.result.value;
  }

  submit(text: string): ResponseOf<"Jobs.Run"> {
    return this.call("Jobs.Run", submission(text));
  }

  /** What the master knows. */
  tasks(): readonly TaskRecord[] {
    return this.cluster.master.view()?.tasks ?? [];
  }

  /** Commands that live now, with the agent that they are on. */
  alive(): { agent: string; taskId: string; spec: ProcSpec }[] {
    return this.cluster.agents.flatMap((host) =>
      host.processes
        .alive()
        .map(({ spec }) => ({ agent: host.name, taskId: spec.environment["MUSTER_TASK_ID"] ?? "", spec })),
    );
  }

  /** Every command that lives closes its ports, or opens them again. */
  stopListening(isListening = false): void {
    for (const host of this.cluster.agents)
      for (const process of host.processes.alive()) process.isListening = isListening;
  }

  /** Nothing passes between the two groups of hosts any more. */
  cut(some: readonly string[], others: readonly string[]): void {
    for (const one of some)
      for (const other of others) for (const [a, b] of pairs(one, other)) this.cluster.links.cut(a, b);
  }

  heal(some: readonly string[], others: readonly string[]): void {
    for (const one of some)
      for (const other of others) for (const [a, b] of pairs(one, other)) this.cluster.links.heal(a, b);
  }
}

function pairs(one: string, other: string): [string, string][] {
  return [
    [one, other],
    [other, one],
  ];
}

export function submission(text: string, job = compiledJob(text)): RequestOf<"Jobs.Run"> {
  const { id: name, type, role, priority } = job;
  const definition = Buffer.from(canonicalJson(job));
  return { job: { ...emptyMessage("JobSubmission"), name, type, role, priority, definition, source: text } };
}

/** A service; its command does what `args` say in the simulated host. */
export function service(
  name: string,
  { count = 1, cpu = 100, args = ["serve", "listen"], group = "", task = "" } = {},
): string {
  return `job "${name}" {
  group "g" {
    count = ${count}
    ${group}
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ${JSON.stringify(args)}
      }
      ${task}
      resources {
        cpu    = ${cpu}
        memory = 64
      }
    }
  }
}`;
}

/** A batch job whose command runs so long. */
export function batch(name: string, { periodic = "", seconds = 1, cpu = 20 } = {}): string {
  return `job "${name}" {
  type = "batch"
  ${periodic}
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ["for", "${seconds * 1_000}"]
      }
      resources {
        cpu    = ${cpu}
        memory = 32
      }
    }
  }
}`;
}
