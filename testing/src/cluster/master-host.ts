import { AssertionError, type Handlers, type Log, type RequestOf, type Result } from "@muster/foundation";
import { silentMetrics } from "@muster/foundation/metrics";
import { createMaster, defaultMasterConfig, type Master, type MasterConfig, type MasterView } from "@muster/master";
import type { ListFrameworksResponse } from "@muster/proto";
import type { Life } from "../world/life.ts";
import type { Network } from "../world/network.ts";
import { type StoreGround, storeOf } from "../world/store.ts";
import { type World, WorldError } from "../world/world.ts";
import { Program } from "./program.ts";

export interface MasterHostOptions {
  readonly address: string;
  readonly config: Partial<MasterConfig>;
  readonly log: Log;
}

/** The master's process. What is in the store outlives it, all else does not. */
export class MasterHost {
  readonly program: Program;
  readonly #world: World;
  readonly #network: Network;
  readonly #store: StoreGround;
  readonly #options: MasterHostOptions;
  #running: { life: Life; master: Master } | undefined;
  /** Calls of operators, which change a master between two events of its life. */
  #operationCount = 0;
  #seen: Seen | undefined;
  #living: Seen | undefined;

  constructor(world: World, network: Network, store: StoreGround, options: MasterHostOptions) {
    this.#world = world;
    this.#network = network;
    this.#store = store;
    this.#options = options;
    this.program = new Program(world, { name: "master", component: "master", start: (life) => this.#start(life) });
  }

  /**
   * What the leader says of itself, asked as anybody would; undefined while nobody leads. The same object as long as
   * nothing has happened to it. O(agents + tasks) when something has, else O(1).
   */
  view(): MasterView | undefined {
    this.#seen = this.#look(this.#seen, true);
    return this.#seen?.view;
  }

  /** The same without tasks that have ended: these are many in the end, and checkers of a moment pass them over. */
  living(): MasterView | undefined {
    this.#living = this.#look(this.#living, false);
    return this.#living?.view;
  }

  /** What was seen before, or what is seen now if anything has happened since. */
  #look(before: Seen | undefined, includeTerminal: boolean): Seen | undefined {
    const running = this.#running;
    if (running?.life.alive !== true) return undefined;
    const { life } = running;
    const { stepCount } = life;
    const operationCount = this.#operationCount;
    if (before?.life === life && before.stepCount === stepCount && before.operationCount === operationCount)
      return before;
    return { life, stepCount, operationCount, view: viewOf(running.master.handlers, includeTerminal) };
  }

  /** The id of the connected framework of that name, if there is one and somebody leads. */
  frameworkIdOf(name: string): string | undefined {
    const running = this.#running;
    if (running?.life.alive !== true) return undefined;
    const answer = ask(running.master.handlers, "Operator.ListFrameworks", {}) as ListFrameworksResponse | undefined;
    return answer?.frameworks.find((framework) => framework.name === name && framework.connected)?.frameworkId;
  }

  /** Whether an agent of that id can be reactivated, now or later: false only if a leader does not have it. */
  mayKnow(agentId: string): boolean {
    return this.view()?.agents.some((agent) => agent.agentId === agentId) ?? true;
  }

  /** Makes an operator's call; told whether it was done. Nobody leads, or its store does not answer: it was not. */
  operate<M extends OperatorMethod>(method: M, request: RequestOf<M>, done: (isDone: boolean) => void): void {
    const running = this.#running;
    if (running?.life.alive !== true) {
      done(false);
      return;
    }
    this.#operationCount++;
    const handler = running.master.handlers[method] as unknown as Handler | undefined;
    handler?.(request, { address: "operator", principal: "local" }, ({ ok }) => done(ok));
  }

  #start(life: Life): void {
    const { address, config, log } = this.#options;
    const world = this.#world;
    const random = world.random(`master/${life.number}`);
    const master = createMaster(
      {
        clock: world.clockOf(life),
        random,
        store: storeOf(world, life, this.#store, random.stream("store")),
        transport: this.#network.transportOf(life),
        log,
        metrics: silentMetrics,
        failed: (error) => {
          // What the world does to a master is its lot, and its supervisor begins a new one. A bug of ours is a finding.
          if (error.cause instanceof AssertionError || error.kind === "internal")
            throw new WorldError(world.nowMs, life.name, error.cause ?? error);
          world.after(undefined, 0, "exit", () => this.program.life === life && this.program.crash());
        },
      },
      { ...defaultMasterConfig, address, ...config },
    );
    this.#running = { life, master };
    this.#network.serve(life, address, master.handlers);
    master.start();
  }
}

/** What a master said of itself at a moment. */
interface Seen {
  readonly life: Life;
  readonly stepCount: number;
  readonly operationCount: number;
  readonly view: MasterView | undefined;
}

/** What operators decide about agents, frameworks and roles. */
export type OperatorMethod =
  | "Operator.Deactivate"
  | "Operator.Reactivate"
  | "Operator.Drain"
  | "Operator.MarkGone"
  | "Operator.SetMaintenance"
  | "Operator.SetQuota"
  | "Operator.SetWeight"
  | "Operator.TeardownFramework";

type Handler = (request: object, peer: object, respond: (result: Result<unknown>) => void) => void;

function viewOf(handlers: Handlers, includeTerminal: boolean): MasterView | undefined {
  const agents = ask(handlers, "Operator.ListAgents", { prefix: "" });
  const offers = ask(handlers, "Operator.ListOffers", {});
  const tasks = ask(handlers, "Tasks.List", { framework: "", agent: "", includeTerminal, prefix: "" });
  const overlays = ask(handlers, "Operator.ListOverlays", {});
  const roles = ask(handlers, "Operator.ListRoles", {});
  const parts = [agents, offers, tasks, overlays, roles];
  return parts.includes(undefined) ? undefined : (Object.assign({}, ...parts) as MasterView);
}

/** These calls are answered at once. */
function ask(
  handlers: Handlers,
  method:
    | "Operator.ListAgents"
    | "Operator.ListFrameworks"
    | "Operator.ListOffers"
    | "Operator.ListOverlays"
    | "Operator.ListRoles"
    | "Tasks.List",
  request: object,
): unknown {
  const handler = handlers[method] as unknown as Handler | undefined;
  let answer: Result<unknown> | undefined;
  handler?.(request, { address: "checker", principal: "local" }, (result) => {
    answer = result;
  });
  return answer?.ok ? answer.value : undefined;
}
