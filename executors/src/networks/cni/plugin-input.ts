import type { NetSpec } from "../../world/nets.ts";
import { protocolsOf } from "../bridge/ruleset.ts";
import { linkInside } from "../kernel/group-link.ts";
import type { NetworkList, PluginConfig } from "./network-list.ts";
import type { JsonObject } from "./read-json.ts";

export interface Attachment {
  readonly containerId: string;
  /** Path of the pinned namespace; empty if it is gone. */
  readonly namespacePath: string;
  readonly spec: NetSpec;
}

/** What a plugin finds in its environment; nothing else of the agent's. */
export function pluginEnvironment(
  command: string,
  folders: readonly string[],
  attachment?: Attachment,
): Record<string, string> {
  const common = { CNI_COMMAND: command, CNI_PATH: folders.join(":") };
  if (!attachment) return common;
  return {
    ...common,
    CNI_CONTAINERID: attachment.containerId,
    CNI_NETNS: attachment.namespacePath,
    CNI_IFNAME: linkInside(attachment.spec),
    CNI_ARGS: cniArguments(attachment.spec),
  };
}

/** Plugins that don't know ours must not refuse them; a semicolon would begin another argument. */
function cniArguments({ key, settings }: NetSpec): string {
  const own = { MUSTER_GROUP: key, MUSTER_HOSTNAME: settings.hostname };
  return [
    "IgnoreUnknown=1",
    ...Object.entries(own).map(([name, value]) => `${name}=${value.replace(/[;=]/g, "-")}`),
  ].join(";");
}

/** What a plugin reads: its own part of the configuration, with what the runtime adds to it. */
export function pluginInput(
  { name, cniVersion }: NetworkList,
  plugin: PluginConfig,
  spec: NetSpec | undefined,
  prevResult: JsonObject | undefined,
): string {
  const { capabilities: _, ...fields } = plugin.fields;
  const runtimeConfig = spec ? runtimeConfigFor(plugin, spec) : undefined;
  return JSON.stringify({
    ...fields,
    name,
    cniVersion,
    ...(runtimeConfig ? { runtimeConfig } : {}),
    ...(prevResult ? { prevResult } : {}),
  });
}

/** What is told of the group, as far as the plugin has declared that it takes it. Undefined: nothing. */
function runtimeConfigFor({ capabilities }: PluginConfig, spec: NetSpec): JsonObject | undefined {
  const { dnsServers, dnsSearches, dnsOptions } = spec.settings;
  const config: Record<string, unknown> = {};
  const portMappings = portMappingsOf(spec);
  if (capabilities.has("portMappings") && portMappings.length > 0) config["portMappings"] = portMappings;
  if (capabilities.has("dns") && dnsServers.length + dnsSearches.length + dnsOptions.length > 0)
    config["dns"] = { servers: dnsServers, searches: dnsSearches, options: dnsOptions };
  return Object.keys(config).length > 0 ? config : undefined;
}

function portMappingsOf({ ports }: NetSpec): JsonObject[] {
  return ports.flatMap((port) =>
    protocolsOf(port).map((protocol) => ({
      hostPort: port.number,
      containerPort: port.to,
      protocol,
      ...(port.hostNetwork === undefined ? {} : { hostIP: port.ip }),
    })),
  );
}

/** Plugins of a list that a group needs: portmap costs a tenth of a second even where there is nothing to map. */
export function pluginsFor({ plugins }: NetworkList, spec: NetSpec): readonly PluginConfig[] {
  return plugins.filter(({ type }) => type !== "portmap" || spec.ports.length > 0 || plugins.length === 1);
}
