import type {
  HostNetwork,
  HostPorts,
  HostTask,
  ProbeResult,
  Prober,
  ProbeTarget,
  Proc,
  ProcEvents,
  ProcExit,
  ProcSpec,
  ProcStarted,
  TaskListener,
} from "@muster/executors";
import type { Random } from "@muster/foundation";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/**
 * What a simulated command does is written in its arguments: `["for", "5000", "exit", "0"]` runs 5 s and exits with 0;
 * `["serve"]` runs until it is told to end; `["fail"]` can't be started. Any command may say `"deaf"` to ignore
 * signals other than SIGKILL, and `"listen"` to bind the ports that its environment names. `["attach"]` is a custom
 * executor.
 */
export interface Behaviour {
  readonly runsForMs: number | undefined;
  readonly exitCode: number;
  readonly isDeaf: boolean;
  readonly listens: boolean;
  readonly canStart: boolean;
  /** It attaches to its agent as a custom executor. */
  readonly attaches: boolean;
}

export function behaviourOf(words: readonly string[]): Behaviour {
  const after = (word: string): number | undefined => {
    const index = words.indexOf(word);
    return index < 0 ? undefined : Number(words[index + 1]);
  };
  return {
    runsForMs: after("for"),
    exitCode: after("exit") ?? 0,
    isDeaf: words.includes("deaf"),
    listens: words.includes("listen"),
    canStart: !words.includes("fail"),
    attaches: words.includes("attach"),
  };
}

/** A port of the host, on one address of it or on every one (""). */
interface HostPort {
  readonly port: number;
  readonly ip: string;
  /** What it is called in the network of the command. */
  readonly inside: number;
}

/** A port that two commands have. */
interface PortClash {
  readonly port: number;
  readonly ids: readonly string[];
}

/** One command and what became of it. */
export interface HostProcess {
  readonly spec: ProcSpec;
  readonly behaviour: Behaviour;
  /** That it was told are its own. */
  readonly given: readonly HostPort[];
  /** Those of them that it listens on, as they are called in its network. */
  readonly ports: readonly number[];
  /** False: it has closed its ports, as a command does that hangs. May be changed while it runs. */
  isListening: boolean;
  state: "starting" | "running" | "ended" | "failed" | "lost";
  started: ProcStarted | undefined;
  exit: ProcExit | undefined;
  message: string;
  /** What goes on in it, if it is a custom executor. */
  life: Life | undefined;
}

/** The life of the agent that watches, and which commands it has spawned or adopted: it hears of no others. */
interface Watcher {
  readonly life: Life;
  readonly events: ProcEvents;
  readonly ids: Set<string>;
  /** News keep their order. */
  toldLastAtMs: number;
}

/** The commands of one host. They outlive the agent's process, and end with the host's power. */
export class HostProcesses {
  /** Told of each command that begins to run. */
  onStart: (process: HostProcess) => void = () => {};
  /** Begins what goes on in a custom executor, which calls back when that ends by itself. */
  beginExecutor: ((process: HostProcess, exit: () => void) => Life) | undefined;
  /** Networks of the host that have a name. May be changed while it runs. */
  networks: readonly HostNetwork[] = [];
  readonly #world: World;
  readonly #host: string;
  readonly #random: Random;
  readonly #behave: (spec: ProcSpec) => Behaviour;
  readonly #processes = new Map<string, HostProcess>();
  #watcher: Watcher | undefined;
  /** Those that run, and whose ports clash among them: until one begins or ends. */
  #alive: readonly HostProcess[] | undefined;
  #clashes: readonly PortClash[] | undefined;
  #pidLast = 1_000;
  #boots = 1;

  /** `behave` says what a command does; default: what its arguments say. */
  constructor(
    world: World,
    host: string,
    behave: (spec: ProcSpec) => Behaviour = (spec) => behaviourOf(spec.arguments),
  ) {
    this.#behave = behave;
    this.#world = world;
    this.#host = host;
    this.#random = world.random(`processes/${host}`);
  }

  get bootId(): string {
    return `boot-${this.#host}-${this.#boots}`;
  }

  /** Commands that are alive now: the same list until one begins or ends. O(1) then, else O(commands). */
  alive(): readonly HostProcess[] {
    this.#alive ??= [...this.#processes.values()].filter((process) => process.state === "running");
    return this.#alive;
  }

  #turn(process: HostProcess, state: HostProcess["state"]): void {
    process.state = state;
    this.#alive = undefined;
    this.#clashes = undefined;
  }

  /** The power goes: every command ends without a record, and the next boot is another one. */
  reboot(): void {
    this.#boots++;
    this.#watcher = undefined;
    for (const [id, process] of [...this.#processes])
      if (process.state !== "ended" && process.state !== "failed") {
        this.#lose(process);
        this.#processes.delete(id);
      }
  }

  /** Kills the supervisor of a command, and with it the command, so that nobody records the end. False if none lives. */
  loseOne(): boolean {
    const process = this.#anyAlive();
    if (process === undefined) return false;
    this.#lose(process);
    this.#tell(process.spec.id, (events) => events.lost(process.spec.id));
    return true;
  }

  #lose(process: HostProcess): void {
    this.#turn(process, "lost");
    if (process.life) this.#world.end(process.life, "killed");
  }

  /** Ends a command as somebody with kill -9 would. False if there is none. */
  killOne(): boolean {
    const victim = this.#anyAlive();
    if (victim === undefined) return false;
    this.#end(victim, undefined, "SIGKILL");
    return true;
  }

  /** Commands as one life of the agent supervises them. */
  openFor(life: Life): Proc {
    const bootId = this.bootId;
    return {
      bootId,
      start: (events, known) => this.#start(life, events, known),
      spawn: (spec) => this.#spawn(spec),
      // Only ended commands survive a boot, so that what is here is of the present one or has its end recorded.
      adopt: (id) => this.#adopt(id),
      signal: (id, name) => this.#signal(id, name),
      kill: (id) =>
        this.#world.after(undefined, 0.1, "kill", () => this.#end(this.#processes.get(id), undefined, "SIGKILL")),
      keep: ({ groups }) => this.#keep(groups),
      remove: (group) => {
        for (const id of [...this.#processes.keys()]) if (groupOf(id) === group) this.#remove(id);
      },
      stop: () => {
        if (this.#watcher?.life === life) this.#watcher = undefined;
      },
    };
  }

  /** What the kernel of this host says about ports. */
  portsFor(life: Life): HostPorts {
    return {
      check: (questions, done) => {
        this.#world.after(life, 0.1, "ports", () => {
          const held = this.#portsHeld();
          done(
            questions.flatMap((question) => {
              const holder = held.find((one) => isClash(one, question));
              return holder ? [{ port: question.port, holder: `pid ${holder.pid}` }] : [];
            }),
          );
        });
      },
      scan: (done) => {
        this.#world.after(life, 0.5, "ports", () =>
          done([...new Set(this.#portsHeld().map(({ port }) => port))].sort((a, b) => a - b)),
        );
      },
      networks: (done) => this.#world.after(life, 0.1, "ports", () => done(this.networks)),
      listeners: (tasks, done) => this.#listeners(life, tasks, done),
      groupListeners: (tasks, done) => this.#listeners(life, tasks, done),
    };
  }

  #listeners(life: Life, tasks: readonly HostTask[], done: (found: readonly TaskListener[]) => void): void {
    const ids = new Map(tasks.map(({ id, started }) => [started.pid, id]));
    this.#world.after(life, 0.5, "ports", () =>
      done(
        this.alive()
          .filter(({ isListening }) => isListening)
          .flatMap(({ spec: { command }, ports, started }) => {
            const id = ids.get(started?.pid ?? 0);
            if (id === undefined) return [];
            return ports.map((port) => ({ id, port, protocol: "tcp" as const, pid: started?.pid ?? 0, command }));
          }),
      ),
    );
  }

  /**
   * Checks of this host's tasks: a port answers while a living command listens on it; a script does what its arguments
   * say, beside a living command.
   */
  proberFor(life: Life): Prober {
    return {
      probe: (target, timeoutMs, done) => {
        const delayMs = 0.2 + this.#random.next() + (target.type === "script" ? scriptRunsForMs(target.arguments) : 0);
        if (delayMs > timeoutMs)
          return this.#world.after(life, timeoutMs, "probe", () =>
            done({ passed: false, message: `no answer within ${timeoutMs} ms` }),
          );
        return this.#world.after(life, delayMs, "probe", () => done(this.#asked(target)));
      },
      stop: () => {},
    };
  }

  #asked(target: ProbeTarget): ProbeResult {
    if (target.type !== "script") {
      const passed = this.#portsHeld().some(({ inside }) => inside === target.port);
      return { passed, message: passed ? "200 OK" : "connect ECONNREFUSED" };
    }
    const process = this.#processes.get(target.id);
    if (process?.state !== "running" || process.started?.pid !== target.pid)
      return { passed: false, message: "the task has ended" };
    const { exitCode } = behaviourOf(target.arguments);
    return { passed: exitCode === 0, message: `exit code ${exitCode}` };
  }

  /** Ports that living commands of two groups were told to be theirs, bound or not. O(1) until one begins or ends. */
  portClashes(): readonly PortClash[] {
    this.#clashes ??= clashesAmong(this.alive());
    return this.#clashes;
  }

  #start(life: Life, events: ProcEvents, known: ReadonlySet<string>): void {
    this.#watcher = { life, events, ids: new Set(), toldLastAtMs: 0 };
    this.#keep(known);
  }

  #keep(known: ReadonlySet<string>): void {
    for (const [id, process] of [...this.#processes]) {
      if (known.has(groupOf(id))) continue;
      this.#end(process, undefined, "SIGKILL");
      this.#remove(id);
    }
  }

  #spawn(spec: ProcSpec): void {
    this.#watcher?.ids.add(spec.id);
    if (this.#processes.has(spec.id)) return;
    const behaviour = this.#behave(spec);
    const given = portsOf(spec.environment, this.networks);
    const ports = behaviour.listens ? given.map(({ inside }) => inside) : [];
    const process: HostProcess = {
      spec,
      behaviour,
      given,
      ports,
      isListening: true,
      state: "starting",
      started: undefined,
      exit: undefined,
      message: "",
      life: undefined,
    };
    this.#processes.set(spec.id, process);
    // The shim starts it whether or not the agent lives on.
    this.#world.after(undefined, 2 + this.#random.next() * 5, "exec", () => this.#exec(process));
  }

  #exec(process: HostProcess): void {
    const { id } = process.spec;
    if (this.#processes.get(id) !== process || process.state !== "starting") return;
    if (!process.behaviour.canStart) {
      this.#turn(process, "failed");
      process.message = "exec: ENOENT";
      this.#tell(id, (events) => events.failed(id, process.message));
      return;
    }
    const pid = ++this.#pidLast;
    const at = this.#world.epochMs;
    this.#turn(process, "running");
    process.started = { pid, startTicks: pid * 7, shimPid: pid + 500_000, shimStartTicks: pid * 7, at };
    this.#world.trace.add(this.#world.nowMs, "exec", this.#host, id);
    this.onStart(process);
    const { started } = process;
    this.#tell(id, (events) => events.started(id, started));
    if (process.behaviour.attaches) process.life = this.beginExecutor?.(process, () => this.#end(process, 0, ""));
    if (process.behaviour.runsForMs !== undefined) {
      const { runsForMs, exitCode } = process.behaviour;
      this.#world.after(undefined, runsForMs, "exit", () => this.#end(process, exitCode, ""));
    }
  }

  #adopt(id: string): void {
    const process = this.#processes.get(id);
    this.#watcher?.ids.add(id);
    const tell = (say: (events: ProcEvents) => void): void => this.#tell(id, say);
    if (process === undefined) {
      tell((events) => events.absent(id));
      return;
    }
    const { started, exit, message } = process;
    if (process.state === "failed") tell((events) => events.failed(id, message));
    if (started !== undefined) tell((events) => events.started(id, started));
    if (exit !== undefined) tell((events) => events.exited(id, exit));
    if (process.state === "lost") tell((events) => events.lost(id));
  }

  #signal(id: string, name: string): void {
    const process = this.#processes.get(id);
    if (process?.behaviour.isDeaf) return;
    this.#world.after(undefined, 1 + this.#random.next() * 20, "signal", () => this.#end(process, undefined, name));
  }

  #end(process: HostProcess | undefined, exitCode: number | undefined, signal: string): void {
    if (process === undefined || this.#processes.get(process.spec.id) !== process) return;
    if (process.state !== "running" && process.state !== "starting") return;
    this.#turn(process, "ended");
    const exit = { exitCode, signal, at: this.#world.epochMs };
    process.exit = exit;
    if (process.life) this.#world.end(process.life, "killed");
    this.#world.trace.add(this.#world.nowMs, "exited", this.#host, process.spec.id);
    this.#tell(process.spec.id, (events) => events.exited(process.spec.id, exit));
  }

  #remove(id: string): void {
    const process = this.#processes.get(id);
    if (process?.state === "running" || process?.state === "starting") return;
    this.#processes.delete(id);
  }

  #tell(id: string, say: (events: ProcEvents) => void): void {
    const watcher = this.#watcher;
    if (watcher === undefined || !watcher.ids.has(id)) return;
    const { nowMs } = this.#world;
    watcher.toldLastAtMs = Math.max(watcher.toldLastAtMs, nowMs + 0.2 + this.#random.next());
    this.#world.after(watcher.life, watcher.toldLastAtMs - nowMs, "proc", () => {
      if (this.#watcher === watcher) say(watcher.events);
    });
  }

  #anyAlive(): HostProcess | undefined {
    const alive = this.alive();
    return alive[Math.floor(this.#random.next() * alive.length)];
  }

  #portsHeld(): (HostPort & { pid: number })[] {
    return this.alive().flatMap((process) =>
      openPorts(process).map((one) => ({ ...one, pid: process.started?.pid ?? 0 })),
    );
  }
}

/** O(ports), but for those that several have. */
function clashesAmong(alive: readonly HostProcess[]): PortClash[] {
  const holders = new Map<number, { readonly one: HostPort; readonly id: string }[]>();
  const clashes: PortClash[] = [];
  for (const { spec, given } of alive)
    for (const one of given) {
      const others = holders.get(one.port);
      if (others === undefined) {
        holders.set(one.port, [{ one, id: spec.id }]);
        continue;
      }
      const holder = others.find((other) => isClash(other.one, one) && groupOf(other.id) !== groupOf(spec.id));
      if (holder) clashes.push({ port: one.port, ids: [holder.id, spec.id] });
      others.push({ one, id: spec.id });
    }
  return clashes;
}

function openPorts({ given, isListening, ports }: HostProcess): readonly HostPort[] {
  return isListening ? given.filter(({ inside }) => ports.includes(inside)) : [];
}

function isClash(one: Pick<HostPort, "port" | "ip">, other: Pick<HostPort, "port" | "ip">): boolean {
  return one.port === other.port && (one.ip === "" || other.ip === "" || one.ip === other.ip);
}

/** A script that says nothing of its time takes none. */
function scriptRunsForMs(words: readonly string[]): number {
  return behaviourOf(words).runsForMs ?? 0;
}

function groupOf(id: string): string {
  return id.slice(0, id.lastIndexOf("."));
}

const portVariable = "MUSTER_PORT_";

/**
 * A command learns its ports as a real one does: from MUSTER_PORT_label, and MUSTER_HOST_PORT_label where the host has
 * another number. On one of the host's networks they are its own.
 */
function portsOf(environment: Readonly<Record<string, string>>, networks: readonly HostNetwork[]): readonly HostPort[] {
  return Object.entries(environment)
    .filter(([name]) => name.startsWith(portVariable))
    .map(([name, value]) => {
      const label = name.slice(portVariable.length);
      const given = environment[`MUSTER_IP_${label}`];
      const inside = Number(value);
      const port = Number(environment[`MUSTER_HOST_PORT_${label}`] ?? inside);
      return { port, inside, ip: networks.find(({ ip }) => ip === given)?.ip ?? "" };
    });
}
