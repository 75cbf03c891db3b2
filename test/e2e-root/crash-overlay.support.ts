import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";
import type { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { planOverlay, type UnderlayAddress } from "../../executors/src/networks/overlay/plan.ts";
import { news } from "./overlay.support.ts";

/** The same tests may run twice at once on this machine: each run has a network of its own. */
const run = process.pid % 1_000;
const range = `10.${100 + (run % 40)}`;

/** An overlay network of agents on this machine itself, with a link that stands for the way to others. */
export class CrashOverlay {
  static readonly mode = "overlay/red";
  readonly underlay: UnderlayAddress = { ip: `172.28.${run >> 2}.${1 + (run & 3)}`, ip6: "" };
  readonly #link = `mu${process.pid}u`;
  readonly #network: OverlayNetwork = {
    ...{ name: "red", cidr: `${range}.0.0/16`, cidr6: "", subnetPrefix: 24 },
    ...{ backend: "vxlan", vni: 1_000 + run, port: 4_789, directRouting: false },
  };

  up(): void {
    if (existsSync(`/sys/class/net/${this.#link}`)) return;
    execFileSync("ip", ["link", "add", this.#link, "type", "bridge"]);
    execFileSync("ip", ["addr", "add", `${this.underlay.ip}/32`, "dev", this.#link]);
    execFileSync("ip", ["link", "set", this.#link, "up"]);
  }

  down(): void {
    if (existsSync(`/sys/class/net/${this.#link}`)) execFileSync("ip", ["link", "del", this.#link]);
  }

  /** Tells the agent that has registered last its subnet and that of a peer. */
  tell({ master }: AgentFixture): void {
    const { agentId } = master.requests.findLast(({ registration }) => registration)?.registration ?? { agentId: "" };
    const own = this.#subnet(1, agentId);
    const peer = { ...this.#subnet(2, "peer"), underlayIp: "172.28.255.9" };
    master.say(news({ network: this.#network }, { subnet: own }, { subnet: peer }, { complete: true }));
  }

  /** Whether it has said that groups can have it. Begins anew with each registration. */
  isReady({ master: { requests } }: AgentFixture): boolean {
    const since = requests.findLastIndex(({ registration }) => registration);
    return requests.slice(since).some(({ update }) => update?.networks?.modes.includes(CrashOverlay.mode));
  }

  /** Links of an agent's groups that hang on the network's bridge. */
  groupLinks(dataFolder: string): string[] {
    const folder = `/sys/class/net/${this.#plan(dataFolder).bridge}/brif`;
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** What groups of an agent share: links, and the table of rules. */
  shared(dataFolder: string): string[] {
    const { device, bridge, table } = this.#plan(dataFolder);
    const tables = execFileSync("nft", ["list", "tables"], { encoding: "utf8" }).split("\n");
    return [
      ...[device, bridge].filter((link) => existsSync(`/sys/class/net/${link}`)),
      ...tables.filter((line) => line === `table inet ${table}`),
    ];
  }

  /** As if nobody had made them yet: the next agent has to. */
  removeShared(dataFolder: string): void {
    const { device, bridge, table } = this.#plan(dataFolder);
    for (const link of [device, bridge]) spawnSync("ip", ["link", "del", link]);
    spawnSync("nft", ["delete", "table", "inet", table]);
  }

  #plan(dataFolder: string) {
    return planOverlay(ownerOf(dataFolder), this.#network, this.#subnet(1, ""), false);
  }

  #subnet(index: number, agentId: string): OverlaySubnet {
    const subnet = `${range}.${index}.0/24`;
    return { network: "red", agentId, subnet, subnet6: "", underlayIp: this.underlay.ip, underlayIp6: "" };
  }
}
