import type { Log } from "@muster/foundation";
import type { GroupNetwork } from "@muster/proto";
import type { NetSpec } from "../../world/nets.ts";
import { UdpFlows } from "../bridge/conntrack.ts";
import { protocolsOf } from "../bridge/ruleset.ts";
import { Gate } from "../kernel/gate.ts";
import { linkInside } from "../kernel/group-link.ts";
import { hasLink } from "../kernel/host.ts";
import type { NetBuilder, OwnedGroups } from "../kernel/net-builder.ts";
import { runTool } from "../kernel/run-tool.ts";
import { yieldWayOut } from "../kernel/ways-back.ts";
import { collectGarbage, type ValidAttachment } from "./collect.ts";
import { ConfigFolder, type FoundNetwork } from "./config-folder.ts";
import { findHostEnd } from "./host-end.ts";
import { removeLeftovers } from "./leftovers.ts";
import { type NetworkList, parseNetworkList } from "./network-list.ts";
import { type Attachment, pluginEnvironment, pluginInput, pluginsFor } from "./plugin-input.ts";
import { groupOfRecord, type NetRecord, NetRecords, recordName } from "./records.ts";
import { type CniResult, parseResult } from "./result.ts";
import { findPlugin, runPlugin } from "./run-plugin.ts";
import { type CniSettings, nameOfMode } from "./settings.ts";

/** Plugins wait for one another's locks: two chains at once are 1.8 times as fast as one, more are not faster. */
const chainsMax = 2;

/** One network that makes a whole mode. */
export interface FixedNetwork {
  readonly mode: string;
  readonly network: FoundNetwork;
  /** The link that its groups share: plugins leave it behind. */
  readonly link: string;
}

export interface CniBuilderOptions {
  readonly dataFolder: string;
  readonly settings: CniSettings;
  /** Absent: networks of the operator, mode "cni/NAME". */
  readonly fixed?: FixedNetwork;
  readonly log: Log;
  /** The name of a group's namespace; see `Namespaces`. */
  nameOf(key: string): string;
}

export function cniBuilder(options: CniBuilderOptions): NetBuilder {
  return new CniBuilder(options);
}

/** Groups whose networks plugins make. What was asked of them is on the disk before they are run. */
class CniBuilder implements NetBuilder {
  readonly mode: string;
  /** Plugins are to be told to end while the namespace is there, or they leave rules behind. */
  readonly needsNamespaceToRemove = true;
  readonly #settings: CniSettings;
  readonly #link: string | undefined;
  readonly #nameOf: (key: string) => string;
  readonly #find: (mode: string) => Promise<FoundNetwork> | FoundNetwork;
  /** Absent: one network makes the whole mode. */
  readonly #configs: ConfigFolder | undefined;
  readonly #log: Log;
  readonly #records: NetRecords;
  readonly #flows = new UdpFlows();
  readonly #gate = new Gate(chainsMax);
  /** Records of groups of this life of the agent: nobody else may clean up after them. */
  readonly #mine = new Set<string>();
  readonly #dns = new Map<string, CniResult["dns"]>();

  #hasCollected = false;

  constructor({ dataFolder, settings, fixed, nameOf, log }: CniBuilderOptions) {
    const configs = new ConfigFolder(settings.configFolder);
    this.mode = fixed?.mode ?? "cni";
    this.#link = fixed?.link;
    this.#configs = fixed ? undefined : configs;
    this.#log = log;
    this.#settings = settings;
    this.#nameOf = nameOf;
    this.#find = fixed ? () => fixed.network : (mode) => configs.find(nameOfMode(mode));
    this.#records = new NetRecords(dataFolder, this.mode);
  }

  async prepare(spec: NetSpec): Promise<readonly string[]> {
    this.#mine.add(recordName(spec));
    return [];
  }

  async build(spec: NetSpec, namespace: string, wasThere: boolean): Promise<readonly string[]> {
    const record = await this.#records.read(recordName(spec));
    // It was made by an earlier life of the agent, and the namespace has not gone since.
    if (wasThere && record?.result !== undefined) return this.#take(spec, parseResult(record.result, "record"));
    // Plugins refuse to add what is there, half or whole.
    if (record) await this.#gate.pass(() => this.#delete(record, namespace));
    const { text, list } = await this.#find(spec.mode);
    await this.#records.write({ spec, config: text, result: undefined });
    await runTool("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    const result = await this.#gate.pass(() => this.#add(list, spec, namespace));
    if (spec.index) await yieldWayOut(namespace, spec.index, result.ips);
    await this.#records.write({ spec, config: text, result: JSON.stringify(result.raw) });
    this.#flows.forget(udpPorts(spec));
    return this.#take(spec, result);
  }

  /** What the job says comes first, then what the plugins say. */
  settings(spec: NetSpec): GroupNetwork {
    const { settings } = spec;
    const dns = this.#dns.get(recordName(spec));
    if (!dns) return settings;
    const or = (own: readonly string[], other: string[]): string[] => (own.length > 0 ? [...own] : other);
    return {
      ...settings,
      dnsServers: or(settings.dnsServers, dns.servers),
      dnsSearches: or(settings.dnsSearches, dns.searches),
      dnsOptions: or(settings.dnsOptions, dns.options),
    };
  }

  hostEnd(spec: NetSpec, namespace: string): Promise<string> {
    return findHostEnd(namespace, linkInside(spec));
  }

  async remove(spec: NetSpec, namespace: string): Promise<void> {
    const record = await this.#records.read(recordName(spec));
    if (record) await this.#clean(record, namespace);
    this.#dns.delete(recordName(spec));
    this.#mine.delete(recordName(spec));
  }

  async reconcile(groups: OwnedGroups): Promise<void> {
    await this.#cleanAll((key) => !groups.isOwned(key));
    await this.#collect(groups.owned());
  }

  /** What an earlier life has left is done with here, too: with no group of any mode, nothing is reconciled. */
  async close(): Promise<void> {
    await this.#cleanAll(() => true);
    await this.#collect([]);
    if (this.#link !== undefined && hasLink(this.#link)) await runTool("ip", ["link", "del", this.#link]);
  }

  leave(): Promise<void> {
    return this.#flows.settled();
  }

  /** Once, before the first network of this life is made: later, one that is being made might be taken for stray. */
  async #collect(owned: readonly NetSpec[]): Promise<void> {
    if (this.#hasCollected) return;
    this.#hasCollected = true;
    const valid = (name: string): ValidAttachment[] =>
      owned
        .filter(({ mode }) => mode === `cni/${name}`)
        .map((spec) => ({ containerID: this.#nameOf(spec.key), ifname: linkInside(spec) }));
    if (this.#configs) await collectGarbage(this.#configs, this.#settings, valid, this.#log);
  }

  async #cleanAll(isStray: (key: string) => boolean): Promise<void> {
    let fault: Error | undefined;
    // Of one group the last comes first.
    for (const name of (await this.#records.names()).sort().reverse()) {
      const key = groupOfRecord(name);
      if (this.#mine.has(name) || !isStray(key)) continue;
      // One that resists must not keep the others.
      try {
        const record = await this.#records.read(name);
        if (record) await this.#clean(record, this.#nameOf(key));
      } catch (error) {
        fault ??= error as Error;
      }
    }
    if (fault) throw fault;
  }

  async #clean(record: NetRecord, namespace: string): Promise<void> {
    await this.#gate.pass(() => this.#delete(record, namespace));
    await this.#records.remove(recordName(record.spec));
  }

  #take(spec: NetSpec, result: CniResult): readonly string[] {
    this.#dns.set(recordName(spec), result.dns);
    return result.ips;
  }

  async #add(list: NetworkList, spec: NetSpec, namespace: string): Promise<CniResult> {
    const environment = pluginEnvironment("ADD", this.#settings.pluginFolders, attachmentOf(spec, namespace));
    let result: CniResult | undefined;
    for (const plugin of pluginsFor(list, spec)) {
      const path = await findPlugin(plugin.type, this.#settings.pluginFolders);
      const input = pluginInput(list, plugin, spec, result?.raw);
      const output = await runPlugin({ path, environment, input, timeoutMs: this.#settings.pluginTimeoutMs });
      result = parseResult(output, `result of plugin ${plugin.type}`);
    }
    // A list has at least one plugin.
    return result as CniResult;
  }

  /** In reverse. A plugin that fails does not keep the others from removing theirs; the first failure is told. */
  async #delete({ spec, config, result }: NetRecord, namespace: string): Promise<void> {
    const list = parseNetworkList(config, "record");
    const environment = pluginEnvironment("DEL", this.#settings.pluginFolders, attachmentOf(spec, namespace));
    const last = result === undefined ? undefined : parseResult(result, "record").raw;
    const faults: Error[] = [];
    const attempt = (act: Promise<unknown>): Promise<unknown> => act.catch((error: Error) => faults.push(error));
    for (const plugin of [...pluginsFor(list, spec)].reverse())
      await attempt(
        findPlugin(plugin.type, this.#settings.pluginFolders).then((path) =>
          runPlugin({
            path,
            environment,
            input: pluginInput(list, plugin, spec, last),
            timeoutMs: this.#settings.pluginTimeoutMs,
          }),
        ),
      );
    await attempt(removeLeftovers(namespace, list.name));
    this.#flows.forget(udpPorts(spec));
    if (faults[0]) throw faults[0];
  }
}

/** The namespace's name is unlike that of any other group, of this or another agent. */
function attachmentOf(spec: NetSpec, namespace: string): Attachment {
  return { containerId: namespace, namespacePath: `/run/netns/${namespace}`, spec };
}

function udpPorts({ ports }: NetSpec): number[] {
  return ports.filter((port) => protocolsOf(port).includes("udp")).map(({ number }) => number);
}
