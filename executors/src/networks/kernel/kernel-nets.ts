import { rmSync } from "node:fs";
import type { Log } from "@muster/foundation";
import { apartFolder, netFolder } from "../../agent/folders.ts";
import type { NetEvents, NetReady, NetSpec, Nets, OverlayNews } from "../../world/nets.ts";
import { GroupLimits } from "../limits/group-limits.ts";
import { limitsId, limitsOf } from "../limits/limits.ts";
import type { OverlayHost } from "../overlay/overlay-host.ts";
import { apartKey, attachmentsOf, namespaceKeys } from "./attachments.ts";
import { resolverFilesOfHost, writeGroupFiles } from "./group-files.ts";
import { IpBatch } from "./ip-batch.ts";
import { Namespaces } from "./namespaces.ts";
import type { NetBuilder, OwnedGroups } from "./net-builder.ts";
import { NftBatch } from "./nft-batch.ts";
import { runTool } from "./run-tool.ts";

/** So often it is tried at short intervals to remove what resists; then as often as networks are compared. */
const removeTriesMax = 5;
const removeRetryMs = 1_000;
/** What is there is compared so often with what should be, while there are groups; what they share goes with the last. */
export const reconcileMs = 60_000;

export interface KernelNetsOptions {
  /** Absolute path of the agent's own folder. */
  readonly dataFolder: string;
  readonly ip: IpBatch;
  readonly builders: readonly NetBuilder[];
  readonly log: Log;
  /** Networks over all agents. Absent: there are none. */
  readonly overlays?: OverlayHost;
  /** Where the host's name servers stand; the first file that names one that is not on loopback counts. */
  readonly resolverFiles?: readonly string[];
  /** Default: a minute. */
  readonly reconcileMs?: number;
}

/** Networks made of the kernel's own namespaces. Needs root, Linux and iproute2. */
export function kernelNets(options: KernelNetsOptions): Nets {
  return new KernelNets(options);
}

class KernelNets implements Nets {
  readonly #dataFolder: string;
  readonly #builders: readonly NetBuilder[];
  readonly #log: Log;
  readonly #overlays: OverlayHost | undefined;
  readonly #resolverFiles: readonly string[];
  readonly #reconcileMs: number;
  readonly #namespaces: Namespaces;
  readonly #limits: GroupLimits;
  /** What is under way for a group: one thing after another. */
  readonly #chains = new Map<string, Promise<void>>();
  /** Groups that have a network, or are to have one, until nothing of it is left. */
  readonly #owned = new Map<string, NetSpec>();
  /** Those of them whose network is made and not asked to go. */
  readonly #ready = new Set<string>();
  readonly #groups: OwnedGroups = {
    isOwned: (key) => this.#owned.has(key),
    owned: () => [...this.#owned.values()].flatMap(attachmentsOf),
    ready: () => [...this.#owned.values()].filter(({ key }) => this.#ready.has(key)).flatMap(attachmentsOf),
  };
  /** The remains of an earlier life are gone: their names and ports are free. */
  #kept: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #events: NetEvents | undefined;

  constructor(options: KernelNetsOptions) {
    this.#dataFolder = options.dataFolder;
    this.#builders = options.builders;
    this.#log = options.log;
    this.#overlays = options.overlays;
    this.#resolverFiles = options.resolverFiles ?? resolverFilesOfHost;
    this.#reconcileMs = options.reconcileMs ?? reconcileMs;
    this.#namespaces = new Namespaces(options.dataFolder, options.ip);
    const { owner } = this.#namespaces;
    this.#limits = new GroupLimits(owner, { ip: options.ip, tc: new IpBatch("tc"), nft: new NftBatch() });
  }

  start(events: NetEvents): void {
    this.#events = events;
    this.#overlays?.start((name, state) => setImmediate(() => this.#events?.overlay(name, state)), this.#groups);
  }

  overlaysKnown(): string {
    return this.#overlays?.known() ?? "";
  }

  beginOverlays(agentId: string): void {
    this.#overlays?.begin(agentId);
  }

  tellOverlays(news: readonly OverlayNews[]): void {
    this.#overlays?.tell(news);
  }

  stop(done: () => void): void {
    this.#events = undefined;
    clearTimeout(this.#timer);
    void Promise.allSettled([this.#kept, ...this.#chains.values()])
      .then(() => (this.#owned.size === 0 ? this.#reconcile(true) : undefined))
      .then(() => Promise.allSettled(this.#builders.map((builder) => builder.leave())))
      .then(done);
  }

  keep(specs: readonly NetSpec[]): void {
    for (const spec of specs) this.#own(spec);
    this.#kept = this.#reconcile(false).then((isDone) => {
      // Nobody may be there to have a network, and so nothing else that would come to look again.
      if (!isDone) this.#planTick(removeRetryMs);
    });
  }

  build(spec: NetSpec): void {
    this.#own(spec);
    this.#enqueue(spec.key, async () => {
      try {
        await this.#kept;
        const ready = await this.#make(spec);
        this.#ready.add(spec.key);
        this.#events?.ready(spec.key, ready);
      } catch (error) {
        await this.#take(spec).catch((fault) =>
          this.#log.warn({ error: fault, group: spec.key }, "a network is left half made"),
        );
        this.#owned.delete(spec.key);
        this.#events?.failed(spec.key, (error as Error).message);
      }
    });
  }

  remove(spec: NetSpec): void {
    this.#own(spec);
    this.#enqueue(spec.key, async () => {
      this.#ready.delete(spec.key);
      // What was asked for before the agent stops is tried once more at least: nobody may come after it.
      for (let tries = 1; ; tries++) {
        try {
          await this.#take(spec);
          break;
        } catch (error) {
          if (!this.#events) return;
          this.#log.warn({ error, group: spec.key, tries }, "a network could not be removed");
          if (tries >= removeTriesMax) {
            setTimeout(() => this.#events && this.remove(spec), this.#reconcileMs).unref();
            return;
          }
          await new Promise((resolve) => setTimeout(resolve, removeRetryMs));
        }
      }
      this.#owned.delete(spec.key);
      this.#events?.gone(spec.key);
    });
  }

  #own(spec: NetSpec): void {
    this.#owned.set(spec.key, spec);
    this.#planTick(this.#reconcileMs);
  }

  #planTick(afterMs: number): void {
    this.#timer ??= setTimeout(() => void this.#tick(), afterMs).unref();
  }

  #enqueue(key: string, act: () => Promise<void>): void {
    const next = (this.#chains.get(key) ?? Promise.resolve()).then(act);
    const ended = next.finally(() => {
      if (this.#chains.get(key) === ended) this.#chains.delete(key);
    });
    this.#chains.set(key, ended);
  }

  async #make(spec: NetSpec): Promise<NetReady> {
    const apart = await this.#makeApart(spec);
    const own = spec.mode === "host" ? { namespace: "", ips: [] } : await this.#makeOwn(spec);
    return apart.length === 0 ? own : { ...own, apart };
  }

  /** Loopback alone, for tasks that don't have their group's network. */
  async #makeApart({ key, apart = [], settings }: NetSpec): Promise<NonNullable<NetReady["apart"]>> {
    const made: { index: number; namespace: string }[] = [];
    const folder = netFolder(this.#dataFolder, key);
    for (const { index, hostname } of apart) {
      const ownKey = apartKey(key, index);
      await this.#namespaces.ensure(ownKey);
      await runTool("ip", ["-n", this.#namespaces.nameOf(ownKey), "link", "set", "lo", "up"]);
      await writeGroupFiles(apartFolder(folder, index), { ...settings, hostname }, [], this.#resolverFiles);
      made.push({ index, namespace: this.#namespaces.pathOf(ownKey) });
    }
    return made;
  }

  async #makeOwn(spec: NetSpec): Promise<NetReady> {
    const name = this.#namespaces.nameOf(spec.key);
    const attachments = attachmentsOf(spec).map((one) => ({ one, builder: this.#builderOf(one.mode) }));
    const lines: string[] = [];
    for (const { one, builder } of attachments) lines.push(...(await builder.prepare(one, name)));
    const wasThere = await this.#namespaces.ensure(spec.key, lines);
    const ips: (readonly string[])[] = [];
    // In their order: the way out is the first one's.
    for (const { one, builder } of attachments) {
      const found = await builder.build(one, name, wasThere);
      await this.#bound(one, builder, name, found);
      ips.push(found);
    }
    let { settings } = spec;
    for (const { one, builder } of attachments) settings = builder.settings?.({ ...one, settings }) ?? settings;
    const [first = [], ...more] = ips;
    await writeGroupFiles(netFolder(this.#dataFolder, spec.key), settings, first, this.#resolverFiles);
    const namespace = this.#namespaces.pathOf(spec.key);
    return more.length === 0 ? { namespace, ips: first } : { namespace, ips: first, more };
  }

  async #take(spec: NetSpec): Promise<void> {
    const name = this.#namespaces.nameOf(spec.key);
    const removals: Promise<void>[] = [];
    let fault: Error | undefined;
    // In reverse. One that resists does not keep the others, but the namespace where it needs that.
    for (const one of attachmentsOf(spec).reverse()) {
      const builder = this.#builderOf(one.mode);
      if (limitsOf(one.settings)) await this.#limits.clear(limitsId(one)).catch((error: Error) => (fault ??= error));
      const removal = builder.remove(one, name);
      if (builder.needsNamespaceToRemove) await removal.catch((error: Error) => (fault ??= error));
      else removals.push(removal);
    }
    // All come to their ends before anything is tried again.
    const outcomes = await Promise.allSettled([
      ...removals,
      ...(fault ? [] : namespaceKeys(spec).map((key) => this.#namespaces.remove(key))),
    ]);
    if (fault) throw fault;
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    rmSync(netFolder(this.#dataFolder, spec.key), { recursive: true, force: true });
  }

  /** Bounds what goes through a network that is made, if its job asks for that. */
  async #bound(spec: NetSpec, builder: NetBuilder, namespace: string, ips: readonly string[]): Promise<void> {
    const limits = limitsOf(spec.settings);
    if (!limits) return;
    const link = await builder.hostEnd?.(spec, namespace);
    if (link === undefined) throw new Error(`network mode ${spec.mode} can have no limits`);
    await this.#limits.set({ id: limitsId(spec), link, ips, limits });
  }

  async #tick(): Promise<void> {
    const isDone = await this.#reconcile(false);
    this.#timer = undefined;
    if (this.#events && (this.#owned.size > 0 || !isDone)) this.#planTick(this.#reconcileMs);
  }

  /** What is there becomes what should be, whatever has happened in between. False: it could not be done. */
  async #reconcile(isEnd: boolean): Promise<boolean> {
    try {
      const keys = await this.#namespaces.keys();
      const owned = new Set([...this.#owned.values()].flatMap(namespaceKeys));
      for (const key of keys) if (!owned.has(key)) await this.#namespaces.remove(key);
      if (this.#owned.size === 0) await this.#close(isEnd);
      else await this.#reconcileOwned();
      return true;
    } catch (error) {
      this.#log.warn({ error }, "networks could not be compared with what they should be; it is tried again");
      return false;
    }
  }

  async #reconcileOwned(): Promise<void> {
    for (const builder of this.#builders) await builder.reconcile(this.#groups);
    const idsOf = (specs: readonly NetSpec[]) =>
      specs.flatMap((one) => (limitsOf(one.settings) ? [limitsId(one)] : []));
    await this.#limits.reconcile(
      () => idsOf(this.#groups.owned()),
      () => idsOf(this.#groups.ready()),
    );
  }

  async #close(isEnd: boolean): Promise<void> {
    await this.#limits
      .close()
      .catch((error) => this.#log.warn({ error }, "what bounded the networks of groups could not be removed"));
    for (const builder of this.#builders)
      await builder
        .close(isEnd)
        .catch((error) => this.#log.warn({ error, mode: builder.mode }, "what groups shared could not be removed"));
  }

  #builderOf(mode: string): NetBuilder {
    const [family] = mode.split("/");
    const builder = this.#builders.find((one) => one.mode === family);
    if (!builder) throw new Error(`network mode ${mode} can't be made here`);
    return builder;
  }
}
