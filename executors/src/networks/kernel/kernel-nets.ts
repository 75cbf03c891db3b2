import { rmSync } from "node:fs";
import type { Log } from "@muster/foundation";
import { netFolder } from "../../agent/folders.ts";
import type { NetEvents, NetReady, NetSpec, Nets } from "../../world/nets.ts";
import { writeGroupFiles } from "./group-files.ts";
import { Namespaces } from "./namespaces.ts";
import type { NetBuilder } from "./net-builder.ts";

/** So often it is tried to remove what resists, before it is left to the next life of the agent. */
const removeTriesMax = 5;
const removeRetryMs = 1_000;

export interface KernelNetsOptions {
  /** Absolute path of the agent's own folder. */
  readonly dataFolder: string;
  readonly builders: readonly NetBuilder[];
  readonly log: Log;
}

/** Networks made of the kernel's own namespaces. Needs root, Linux and iproute2. */
export function kernelNets(options: KernelNetsOptions): Nets {
  return new KernelNets(options);
}

class KernelNets implements Nets {
  readonly #dataFolder: string;
  readonly #builders: readonly NetBuilder[];
  readonly #log: Log;
  readonly #namespaces: Namespaces;
  /** What is under way for a group: one thing after another. */
  readonly #chains = new Map<string, Promise<void>>();
  #events: NetEvents | undefined;

  constructor({ dataFolder, builders, log }: KernelNetsOptions) {
    this.#dataFolder = dataFolder;
    this.#builders = builders;
    this.#log = log;
    this.#namespaces = new Namespaces(dataFolder);
  }

  start(events: NetEvents): void {
    this.#events = events;
  }

  stop(): void {
    this.#events = undefined;
  }

  keep(keys: ReadonlySet<string>): void {
    void this.#free(keys).catch((error) => this.#log.warn({ error }, "remains of networks could not be freed"));
  }

  build(spec: NetSpec): void {
    this.#enqueue(spec.key, async () => {
      try {
        const ready = await this.#make(spec);
        this.#events?.ready(spec.key, ready);
      } catch (error) {
        await this.#take(spec).catch((fault) =>
          this.#log.warn({ error: fault, group: spec.key }, "a network is left half made"),
        );
        this.#events?.failed(spec.key, (error as Error).message);
      }
    });
  }

  remove(spec: NetSpec): void {
    this.#enqueue(spec.key, async () => {
      for (let tries = 1; this.#events; tries++) {
        try {
          await this.#take(spec);
          break;
        } catch (error) {
          this.#log.warn({ error, group: spec.key, tries }, "a network could not be removed");
          if (tries >= removeTriesMax) return;
          await new Promise((resolve) => setTimeout(resolve, removeRetryMs));
        }
      }
      this.#events?.gone(spec.key);
    });
  }

  #enqueue(key: string, act: () => Promise<void>): void {
    const next = (this.#chains.get(key) ?? Promise.resolve()).then(act);
    const ended = next.finally(() => {
      if (this.#chains.get(key) === ended) this.#chains.delete(key);
    });
    this.#chains.set(key, ended);
  }

  async #make(spec: NetSpec): Promise<NetReady> {
    const builder = this.#builderOf(spec.mode);
    const namespace = this.#namespaces.pathOf(spec.key);
    const wasThere = await this.#namespaces.ensure(spec.key);
    const ips = await builder.build(spec, this.#namespaces.nameOf(spec.key), wasThere);
    await writeGroupFiles(netFolder(this.#dataFolder, spec.key), spec.settings, ips);
    return { namespace, ips };
  }

  async #take(spec: NetSpec): Promise<void> {
    await this.#builderOf(spec.mode).remove(spec, this.#namespaces.nameOf(spec.key));
    await this.#namespaces.remove(spec.key);
    rmSync(netFolder(this.#dataFolder, spec.key), { recursive: true, force: true });
  }

  async #free(keys: ReadonlySet<string>): Promise<void> {
    for (const builder of this.#builders) await builder.keep(keys);
    for (const key of await this.#namespaces.keys()) if (!keys.has(key)) await this.#namespaces.remove(key);
  }

  #builderOf(mode: string): NetBuilder {
    const [family] = mode.split("/");
    const builder = this.#builders.find((one) => one.mode === family);
    if (!builder) throw new Error(`network mode ${mode} can't be made here`);
    return builder;
  }
}
