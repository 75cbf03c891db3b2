import { readdirSync, readFileSync } from "node:fs";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { NftBatch } from "../kernel/nft-batch.ts";
import { runToEnd } from "../kernel/run-tool.ts";
import {
  addLimits,
  isWhole,
  limitsConnections,
  limitsRules,
  limitsTable,
  readLimits,
  removeLimits,
} from "./connections.ts";
import { type LimitedGroup, shaperGroup, shaperOf, shaperPrefix } from "./limits.ts";
import { disciplinesOf, rateLines, readDisciplines } from "./rates.ts";

export interface GroupLimitsTools {
  readonly ip: IpBatch;
  readonly tc: IpBatch;
  readonly nft: NftBatch;
}

/** Bounds on the networks of groups, of one agent. Nothing is run for groups that have none. */
export class GroupLimits {
  readonly #owner: string;
  readonly #tools: GroupLimitsTools;
  /** Those that are set, by id. */
  readonly #groups = new Map<string, LimitedGroup>();
  /** Whether there may be a table: an earlier life of the agent may have left one. */
  #hasTable = true;

  constructor(owner: string, tools: GroupLimitsTools) {
    this.#owner = owner;
    this.#tools = tools;
  }

  /** Sets them, or makes sure of them: doing it again is harmless. Its link must be there. */
  async set(group: LimitedGroup): Promise<void> {
    this.#hasTable ||= limitsConnections(group);
    this.#groups.set(group.id, group);
    await Promise.all([
      this.#setRates(group),
      limitsConnections(group) ? this.#tools.nft.apply(addLimits(this.#owner, group)) : undefined,
    ]);
  }

  /** Takes away what does not go with the group's link. Doing it again is harmless. */
  async clear(id: string): Promise<void> {
    // One that this life of the agent has not set is looked up.
    const group = this.#groups.get(id);
    const isCounted = !group || limitsConnections(group);
    const ips = isCounted ? (group?.ips ?? (await this.#listed())?.groups.get(id)?.ips) : undefined;
    this.#groups.delete(id);
    if (ips) await this.#tools.nft.apply(removeLimits(this.#owner, id, ips));
    await this.#removeLinks([shaperOf(this.#owner, id)]);
  }

  /** Frees what belongs to none of the owned, and sets what one of those that are set and ready lacks. */
  async reconcile(owned: () => readonly string[], readyIds: () => readonly string[]): Promise<void> {
    const ready = (): LimitedGroup[] => readyIds().flatMap((id) => this.#groups.get(id) ?? []);
    const shapers = new Set(owned().map((id) => shaperOf(this.#owner, id)));
    await this.#removeLinks(this.#shapers().filter((name) => !shapers.has(name)));
    const listed = await this.#listed();
    // What was listed was there before: who is owned now and was not then has nothing in it.
    const ids = new Set(owned());
    for (const [id, { ips }] of listed?.groups ?? [])
      if (!ids.has(id)) await this.#tools.nft.apply(removeLimits(this.#owner, id, ips));
    if (ready().length === 0) return;
    const disciplines = readDisciplines((await runToEnd("tc", ["-j", "qdisc", "show"])).output);
    if (listed && !listed.hooked) await this.#tools.nft.apply(limitsRules(this.#owner));
    for (const group of ready()) {
      if (!disciplinesOf(this.#owner, group).every((one) => disciplines.has(one))) await this.#setRates(group);
      if (limitsConnections(group) && !isWhole(group, listed?.groups ?? new Map())) await this.set(group);
    }
  }

  /** No group is left. */
  async close(): Promise<void> {
    await this.#removeLinks(this.#shapers());
    if (await this.#listed()) await this.#tools.nft.apply(`delete table inet ${limitsTable(this.#owner)}`);
    this.#hasTable = false;
  }

  async #setRates(group: LimitedGroup): Promise<void> {
    const lines = rateLines(this.#owner, group);
    if (lines.length === 0) return;
    const shaper = shaperOf(this.#owner, group.id);
    if (group.limits.upMbit !== undefined && !this.#shapers().includes(shaper))
      await this.#tools.ip.run([
        `link add ${shaper} group ${shaperGroup(this.#owner)} type ifb`,
        `link set ${shaper} up`,
      ]);
    await this.#tools.tc.run(lines);
  }

  /** Links that carry what groups send. */
  #shapers(): string[] {
    const own = String(shaperGroup(this.#owner));
    const names = readdirSync("/sys/class/net").filter((name) => name.startsWith(shaperPrefix));
    return names.filter((name) => groupOf(name) === own);
  }

  async #removeLinks(names: readonly string[]): Promise<void> {
    const present = new Set(this.#shapers());
    await this.#tools.ip.run(names.filter((name) => present.has(name)).map((name) => `link del ${name}`));
  }

  /** What nftables has; undefined: there is no such table. */
  async #listed(): Promise<ReturnType<typeof readLimits> | undefined> {
    if (!this.#hasTable) return undefined;
    const { code, output } = await runToEnd("nft", ["-j", "list", "table", "inet", limitsTable(this.#owner)]);
    if (code !== 0) this.#hasTable = false;
    return code === 0 ? readLimits(output) : undefined;
  }
}

/** The kernel's number of a link's group; empty: the link is gone. */
function groupOf(name: string): string {
  try {
    return readFileSync(`/sys/class/net/${name}/netdev_group`, "utf8").trim();
  } catch {
    return "";
  }
}
