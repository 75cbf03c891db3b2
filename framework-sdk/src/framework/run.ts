import { addResources, codecOf, isTerminal, MusterError, resources } from "@muster/foundation";
import { Health, type Offer, type TaskGroup, TaskState, type TaskStatus } from "@muster/proto";
import { type ClusterAgent, type ClusterView, createClusterView, isUsable } from "../cluster/cluster-view.ts";
import { masterAddressDefault } from "../connection/addresses.ts";
import { attr } from "../placement/attr.ts";
import { type Need, type Room, roomOf } from "../placement/fit.ts";
import { Matcher } from "../placement/matcher.ts";
import { nodeRuntime } from "../runtime/node-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ClaimAnswer } from "../scheduler/claims.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import type { Scheduler } from "../scheduler/types.ts";
import { AgentRefusals } from "./agent-refusals.ts";
import { ClaimableRooms, ClaimRefusals } from "./claims.ts";
import type { Action, Actions, FrameworkContext, FrameworkDefinition, FrameworkTask } from "./define.ts";
import { withoutExecutors } from "./executor-room.ts";
import { FrameworkMemory } from "./memory.ts";
import { groupNetwork } from "./network.ts";
import { Retries } from "./retries.ts";
import { executorInfo, type TaskTemplate, templatePorts, templateResources, templateSpec } from "./tasks.ts";

/** Ended tasks that `tasks.ended()` tells of. */
const endedTasksMax = 1_000;
/** Fail-over timeout of a framework that has nothing to come back to. */
const passingFailoverTimeoutMs = 10_000;

export interface RunOptions {
  /** One or several masters. Default: the environment's MUSTER_ADDR, else 127.0.0.1:5050. */
  readonly address?: string | readonly string[];
  /** Default: `nodeRuntime()`. */
  readonly runtime?: Runtime;
  /** Called once its session has ended after `finish` or `stop`. */
  readonly ended?: () => void;
}

export interface FrameworkRun<S> {
  /** Ends its session; tasks run on, for as long as its fail-over timeout. */
  stop(): void;
  /** Changes its durable state, then reconciles. */
  update(change: (state: S) => S): void;
}

/** Runs a framework until it has finished or is stopped. */
export function runFramework<S>(definition: FrameworkDefinition<S>, options: RunOptions = {}): FrameworkRun<S> {
  const own = options.runtime === undefined ? nodeRuntime({ name: definition.name, logLevel: "warn" }) : undefined;
  const runtime = options.runtime ?? own;
  if (runtime === undefined) throw new MusterError("internal", "no runtime");
  const address = options.address ?? process.env["MUSTER_ADDR"] ?? masterAddressDefault;
  const runner = new Runner(runtime, definition, address, () => {
    own?.close();
    options.ended?.();
  });
  runner.start();
  return runner;
}

class Runner<S> implements FrameworkRun<S> {
  readonly #runtime: Runtime;
  readonly #definition: FrameworkDefinition<S>;
  readonly #roles: readonly string[];
  readonly #ended: () => void;
  readonly #scheduler: Scheduler;
  readonly #view: ClusterView;
  readonly #memory: FrameworkMemory<S>;
  readonly #retries: Retries;
  readonly #refusals = new ClaimRefusals();
  readonly #agentRefusals = new AgentRefusals();
  readonly #tasks = new Map<string, FrameworkTask>();
  readonly #history = new Map<string, FrameworkTask>();
  #offers: Offer[] = [];
  #isTickDue = false;
  #isReconciled = false;
  #isOver = false;
  #launchCount = 0;
  #wanted = "";

  constructor(
    runtime: Runtime,
    definition: FrameworkDefinition<S>,
    address: string | readonly string[],
    ended: () => void,
  ) {
    this.#runtime = runtime;
    this.#definition = definition;
    this.#ended = ended;
    this.#roles = definition.roles ?? ["default"];
    const isDurable = definition.durable !== false;
    this.#memory = new FrameworkMemory(runtime, address, definition.name, isDurable, definition.initialState as S);
    this.#retries = new Retries(runtime.clock, () => this.#soon());
    const failoverTimeoutMs = definition.failoverTimeoutMs ?? (isDurable ? undefined : passingFailoverTimeoutMs);
    const framework = {
      name: definition.name,
      roles: this.#roles,
      ...(failoverTimeoutMs === undefined ? {} : { failoverTimeoutMs }),
    };
    this.#scheduler = createScheduler(
      runtime,
      { address, framework, durable: isDurable, suppressedRoles: this.#roles },
      {
        subscribed: () => {
          this.#offers = [];
          this.#refusals.clear();
          this.#wanted = "";
          this.#soon();
        },
        offers: (offers) => {
          this.#offers.push(...offers);
          this.#soon();
        },
        rescinded: (offerId) => {
          this.#offers = this.#offers.filter((offer) => offer.offerId !== offerId);
        },
        update: (status) => this.#update(status),
        reconciled: ({ complete }) => {
          if (complete) this.#isReconciled = true;
          this.#soon();
        },
        executorMessage: (agentId, executorId, data) => {
          definition.executorMessage?.(agentId, executorId, data);
          this.#soon();
        },
      },
    );
    this.#view = createClusterView(runtime, { address }, () => this.#soon());
  }

  start(): void {
    this.#memory.open(() => {
      if (this.#isOver) return;
      this.#view.start();
      this.#scheduler.start();
    });
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#memory.close();
    this.#retries.stop();
    this.#view.stop();
    this.#scheduler.stop(this.#ended);
  }

  update(change: (state: S) => S): void {
    this.#memory.update(change, () => this.#soon());
  }

  #update(status: TaskStatus): void {
    const { taskId, state } = status;
    const { clock } = this.#runtime;
    const refusedForMs = this.#agentRefusals.heard(status, clock.monotonicMs());
    // An agent of which nothing is offered is looked at again by whoever claims.
    if (refusedForMs > 0 && this.#definition.strategy === "claims") clock.after(refusedForMs, () => this.#soon());
    const known = this.#tasks.get(taskId);
    const task: FrameworkTask = {
      taskId,
      name: known?.name ?? taskId.slice(0, Math.max(0, taskId.lastIndexOf("."))),
      agentId: status.agentId || (known?.agentId ?? ""),
      agentName: known?.agentName ?? this.#view.agents.get(status.agentId)?.name ?? "",
      state,
      health: status.health,
      message: status.message,
      exitCode: status.exitCode,
      ports: status.container ? [...status.container.ports] : (known?.ports ?? []),
    };
    if (isTerminal(state) || state === TaskState.TASK_UNKNOWN) {
      this.#tasks.delete(taskId);
      this.#history.set(taskId, task);
      if (this.#history.size > endedTasksMax) {
        for (const oldest of this.#history.keys()) {
          this.#history.delete(oldest);
          break;
        }
      }
      this.#retries.ended(task);
    } else this.#tasks.set(taskId, task);
    this.#soon();
  }

  #soon(): void {
    if (this.#isTickDue || this.#isOver) return;
    this.#isTickDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isTickDue = false;
      if (!this.#isOver && this.#scheduler.isSubscribed && this.#isReconciled) this.#tick();
    });
  }

  #tick(): void {
    const demands: Extract<Action, { type: "place" }>[] = [];
    for (const action of flatten(this.#definition.reconcile(this.#context()) ?? undefined)) {
      if (action.type === "finish") {
        this.stop();
        return;
      }
      if (action.type === "kill") this.#scheduler.kill(action.taskId);
      else if (action.count > 0 && this.#retries.mayTry(action.template)) demands.push(action);
    }
    if (this.#definition.strategy === "claims") {
      this.#claim(demands);
      return;
    }
    this.#settleInterest(demands);
    if (this.#offers.length === 0) return;
    const offers = this.#offers.filter((offer) => !this.#isLeftAlone(offer));
    this.#offers = [];
    if (this.#place(demands, offers)) this.#soon();
  }

  #context(): FrameworkContext<S> {
    const isWhole = this.#view.isKnown && this.#view.agentsAwaited.length === 0;
    const agents: readonly ClusterAgent[] = isWhole ? [...this.#view.agents.values()].filter(isUsable) : [];
    return {
      state: this.#memory.state,
      tasks: { live: () => [...this.#tasks.values()], ended: () => [...this.#history.values()] },
      agents: [...agents].sort((a, b) => (a.name < b.name ? -1 : 1)),
      log: this.#runtime.log,
      place: (count, template) => ({ type: "place", count, template }),
      placeTogether: (count, template) => ({ type: "place", count, template, together: true }),
      kill: ({ taskId }) => ({ type: "kill", taskId }),
      sendToExecutor: (agentId, executorId, data) => this.#scheduler.sendToExecutor(agentId, executorId, data),
      finish: () => ({ type: "finish" }),
    };
  }

  /** Asks for offers when something new is wanted; wants none when nothing is. */
  #settleInterest(demands: readonly Extract<Action, { type: "place" }>[]): void {
    const roles = new Set(demands.map(({ template }) => this.#roleOf(template)));
    const wanted = JSON.stringify(demands.map(({ count, template }) => [count, template.name, template.agentId]));
    const isNew = wanted !== this.#wanted;
    this.#wanted = wanted;
    if (roles.size > 0 && isNew) this.#scheduler.revive([...roles]);
    const idle = this.#roles.filter((role) => !roles.has(role));
    if (idle.length > 0) this.#scheduler.suppress(idle);
  }

  /** An offer of an agent that has just refused a launch goes back until it is time to try again. */
  #isLeftAlone({ offerId, agentId }: Offer): boolean {
    const waitMs = this.#agentRefusals.waitMs(agentId, this.#runtime.clock.monotonicMs());
    if (waitMs > 0) this.#scheduler.decline([offerId], Math.ceil(waitMs));
    return waitMs > 0;
  }

  /** True if anything was launched. */
  #place(demands: readonly Extract<Action, { type: "place" }>[], offers: readonly Offer[]): boolean {
    let isAny = false;
    for (const role of new Set(offers.map((offer) => offer.role))) {
      const rooms = new Map<string, Room & { offerIds: string[] }>();
      for (const offer of offers) if (offer.role === role) addOffer(rooms, offer);
      for (const [agentId, room] of rooms) rooms.set(agentId, withoutExecutors(room, demands, this.#tasks.values()));
      const matcher = new Matcher([...rooms.values()], this.#runtime.random.stream(`place-${this.#launchCount}`));
      const launches = new Map<string, TaskGroup[]>();
      for (const { template, count } of demands) {
        if (this.#roleOf(template) !== role) continue;
        const same = [...this.#tasks.values()].filter(({ name }) => name === template.name);
        const occupants = matcher.occupants(same.map(({ agentId }) => agentId));
        const need = needOf(template);
        for (let placed = 0; placed < count; placed++) {
          const found = matcher.place(need, occupants);
          if (!("placed" in found)) break;
          const { agentId, agentName } = found.placed;
          const group = this.#launch(template, agentId, agentName);
          launches.set(agentId, [...(launches.get(agentId) ?? []), group]);
          isAny = true;
        }
      }
      for (const { agentId, offerIds } of rooms.values()) {
        const groups = launches.get(agentId);
        if (groups) this.#scheduler.accept(offerIds, groups);
        else this.#scheduler.decline(offerIds);
      }
    }
    return isAny;
  }

  /** Looks for room in the picture of the cluster and claims it; what is refused is looked for again. */
  #claim(demands: readonly Extract<Action, { type: "place" }>[]): void {
    if (demands.length === 0 || !this.#view.isKnown) return;
    const { clock, random } = this.#runtime;
    const holdsBack = (agentId: string, sequence: number, nowMs: number): boolean =>
      this.#refusals.holdsBack(agentId, sequence, nowMs) || this.#agentRefusals.waitMs(agentId, nowMs) > 0;
    const rooms = new ClaimableRooms(
      this.#view,
      { holdsBack },
      clock.monotonicMs(),
      (room) => withoutExecutors(room, demands, this.#tasks.values()),
      this.#roles,
    );
    for (const { template, count, together = false } of demands) {
      const same = [...this.#tasks.values()].filter(({ name }) => name === template.name);
      const present = same.map(({ agentId }) => agentId);
      const draws = random.stream(`claim-${this.#launchCount}`);
      const found = rooms.find(needOf(template), count, together, present, draws);
      if (found.length === 0) continue;
      const role = this.#roleOf(template);
      const requests = found.map(({ agentId, agentName }) => {
        return { agentId, role, groups: [this.#launch(template, agentId, agentName)] };
      });
      const options = { together, sequenceSeen: this.#view.sequence };
      this.#scheduler.claim(requests, options, (answers) => this.#claimed(answers));
    }
  }

  #claimed(answers: readonly ClaimAnswer[]): void {
    const { clock } = this.#runtime;
    for (const answer of answers) {
      if (answer.granted || answer.refusal?.kind === "cancelled") continue;
      for (const group of answer.request.groups) for (const { taskId } of group.tasks) this.#tasks.delete(taskId);
      this.#runtime.log.debug({ agentId: answer.request.agentId, ...answer.refusal }, "claim refused");
      const waitMs = this.#refusals.note(answer, clock.monotonicMs());
      if (waitMs > 0) clock.after(waitMs, () => this.#soon());
    }
    this.#soon();
  }

  #launch(template: TaskTemplate, agentId: string, agentName: string): TaskGroup {
    const { name, executor } = template;
    const number = `${this.#memory.epoch.toString(36)}-${(++this.#launchCount).toString(36)}`;
    const taskId = `${name}.${number}`;
    const ports = templatePorts(template);
    this.#tasks.set(taskId, {
      taskId,
      name,
      agentId,
      agentName,
      state: TaskState.TASK_STAGING,
      health: Health.HEALTH_UNSPECIFIED,
      message: "",
      exitCode: undefined,
      ports: [],
    });
    const endpoints = (ports.length > 0 ? ports.map(({ label }) => label) : [""]).map((portLabel) => ({
      name,
      portLabel,
      protocol: "tcp",
      tags: [],
      meta: {},
    }));
    return {
      launchId: `launch-${number}`,
      tasks: [
        {
          taskId,
          name,
          resources: templateResources(template),
          discovery: { endpoints },
          labels: { ...template.labels },
          spec: codecOf("TaskSpec").encode(templateSpec(template)),
        },
      ],
      ports,
      networkMode: executor ? "" : "host",
      network: executor ? null : groupNetwork(),
      moreNetworks: [],
      executor: executor ? executorInfo(executor, `${executor.id}.${number}`) : null,
      isExecutor: false,
      volumes: [],
    };
  }

  #roleOf(template: TaskTemplate): string {
    return template.role ?? this.#roles[0] ?? "default";
  }
}

function* flatten(actions: Actions): Generator<Action> {
  if (actions === undefined) return;
  if ("type" in actions) yield actions;
  else for (const one of actions) yield* flatten(one);
}

function needOf(template: TaskTemplate): Need {
  const ports = templatePorts(template);
  const staticPorts = ports.filter(({ number }) => number > 0);
  const pins = template.agentId === undefined ? [] : [attr("node.unique.id").is(template.agentId)];
  return {
    resources: templateResources(template),
    dynamicPortCount: ports.length - staticPorts.length,
    staticPorts,
    constraints: [...pins, ...(template.constraints ?? [])],
  };
}

function addOffer(rooms: Map<string, Room & { offerIds: string[] }>, offer: Offer): void {
  const present = rooms.get(offer.agentId);
  if (present === undefined) rooms.set(offer.agentId, { ...roomOf(offer), offerIds: [offer.offerId] });
  else {
    const available = addResources(present.available, resources(offer.resources));
    rooms.set(offer.agentId, { ...present, available, offerIds: [...present.offerIds, offer.offerId] });
  }
}
