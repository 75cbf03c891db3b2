import { readFileSync } from "node:fs";
import { CliError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";
import { Child } from "./child.ts";
import { capLogFile } from "./log-files.ts";
import { type Planned, type Role, stopOrder } from "./plan.ts";

/** A component that ends so often before it ever worked will not work by trying again. */
const earlyDeathsMax = 3;
const logLookMs = 30_000;
const logTailLines = 5;

export interface SupervisorEvents {
  /** A component works again after it died. */
  restarted(name: string, pid: number): void;
  died(name: string, how: string, restartInMs: number): void;
  /** A component says why it can't work; it is tried again. */
  failed(name: string, message: string): void;
}

/** Runs all components, each as its own process, and starts anew what dies. */
export class Supervisor {
  readonly #children: readonly { readonly role: Role; readonly child: Child }[];
  readonly #events: SupervisorEvents;
  readonly #readyOnce = new Set<Child>();
  readonly #earlyDeaths = new Map<Child, number>();
  #allReady: (() => void) | undefined;
  #startFailed: ((error: CliError) => void) | undefined;
  #logTimer: NodeJS.Timeout | undefined;
  #isStopping = false;

  /** `program` is the path of bin/muster.js. */
  constructor(planned: readonly Planned[], program: string, events: SupervisorEvents) {
    this.#events = events;
    this.#children = planned.map((spec) => ({
      role: spec.role,
      child: new Child(spec, program, {
        ready: (child) => this.#ready(child),
        died: (child, how, restartInMs) => this.#died(child, how, restartInMs),
        failed: (child, message) => this.#failed(child, message),
      }),
    }));
  }

  /** Process id of a component; 0 while it has none. */
  pid(name: string): number {
    return this.#children.find(({ child }) => child.spec.name === name)?.child.pid ?? 0;
  }

  /** Resolves once every component has said that it works; rejects if one can't. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#allReady = resolve;
      this.#startFailed = reject;
      for (const { role, child } of this.#children) if (!followsMaster(role)) child.start();
      this.#logTimer = setInterval(() => {
        for (const { child } of this.#children) capLogFile(child.spec.logFile);
      }, logLookMs);
    });
  }

  /** Ends all in order; resolves when every process is gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#logTimer);
    for (const role of stopOrder) {
      await Promise.all(this.#children.filter((each) => each.role === role).map(({ child }) => child.stop()));
    }
  }

  #ready(child: Child): void {
    const isFirst = !this.#readyOnce.has(child);
    this.#readyOnce.add(child);
    if (isFirst && this.#roleOf(child) === "master" && !this.#isStopping) this.#startFollowers();
    if (!isFirst) this.#events.restarted(child.spec.name, child.pid);
    if (this.#readyOnce.size === this.#children.length) this.#allReady?.();
  }

  #roleOf(child: Child): Role | undefined {
    return this.#children.find((each) => each.child === child)?.role;
  }

  #startFollowers(): void {
    for (const { role, child } of this.#children) if (followsMaster(role)) child.start();
  }

  #died(child: Child, how: string, restartInMs: number): void {
    const { name, logFile } = child.spec;
    this.#events.died(name, how, restartInMs);
    if (this.#readyOnce.has(child)) return;
    const deaths = (this.#earlyDeaths.get(child) ?? 0) + 1;
    this.#earlyDeaths.set(child, deaths);
    if (deaths < earlyDeathsMax) return;
    const text = `${name} does not start (${how}); its log is ${logFile}, and ends with:\n${tail(logFile)}\n`;
    this.#startFailed?.(new CliError(exitCode.failed, text));
  }

  #failed(child: Child, message: string): void {
    const { name } = child.spec;
    if (this.#readyOnce.has(child)) this.#events.failed(name, message);
    else this.#startFailed?.(new CliError(exitCode.failed, `${name} can't start: ${message}`));
  }
}

/** Who connects to the master at once would only wait out a back-off if it is not there yet. */
function followsMaster(role: Role): boolean {
  return role === "framework" || role === "agent";
}

function tail(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-logTailLines).join("\n");
  } catch {
    return "";
  }
}
