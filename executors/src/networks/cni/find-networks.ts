import type { Unavailable } from "@muster/proto";
import { runToEnd } from "../kernel/run-tool.ts";
import { ConfigFolder, type FoundNetwork } from "./config-folder.ts";
import { isAtLeast } from "./network-list.ts";
import { pluginEnvironment, pluginInput } from "./plugin-input.ts";
import { supportedVersions } from "./result.ts";
import { findPlugin, PluginError, runPlugin } from "./run-plugin.ts";
import type { CniSettings } from "./settings.ts";

/** The first version with the verb STATUS. */
const statusVersion = "1.1.0";
/** A plugin that is only asked what it can do answers at once. Milliseconds. */
const questionTimeoutMs = 10_000;

export interface CniNetworks {
  /** "cni/NAME" of those that can be made here. */
  readonly modes: readonly string[];
  readonly unavailable: readonly Unavailable[];
  /** "plugins.cni.version.TYPE" of the plugins that they use, "network.cni.NAME.ports" of those that can be made. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Finds the networks of the host, asks their plugins what they speak, and those that know STATUS whether they are able. */
export async function findCniNetworks(settings: CniSettings): Promise<CniNetworks> {
  const { networks, faulty } = await new ConfigFolder(settings.configFolder).read();
  const modes: string[] = [];
  const attributes: Record<string, string> = {};
  const unavailable: Unavailable[] = faulty.map(({ path, reason }) => ({
    name: `network/cni/${path.slice(path.lastIndexOf("/") + 1)}`,
    reason,
  }));
  for (const [name, network] of networks) {
    const reason = await whyNot(network, settings, attributes);
    if (reason === undefined) {
      modes.push(`cni/${name}`);
      // Whether ports of the host can lead into it, which whoever plans a job wants to know.
      attributes[`network.cni.${name}.ports`] = String(takesPorts(network));
    } else unavailable.push({ name: `network/cni/${name}`, reason });
  }
  if (modes.length + unavailable.length === 0)
    unavailable.push({ name: "network/cni", reason: `${settings.configFolder} holds no network; see --cni-config` });
  return { modes, unavailable, attributes };
}

function takesPorts({ list }: FoundNetwork): boolean {
  return list.plugins.some(({ capabilities }) => capabilities.has("portMappings"));
}

/** Why a network can't be made here; undefined if it can. Notes the versions of its plugins. */
export async function whyNot(
  { list }: FoundNetwork,
  settings: CniSettings,
  attributes: Record<string, string>,
): Promise<string | undefined> {
  const timeoutMs = Math.min(questionTimeoutMs, settings.pluginTimeoutMs);
  const ask = (path: string, command: string, input: string): Promise<string> =>
    runPlugin({ path, environment: pluginEnvironment(command, settings.pluginFolders), input, timeoutMs });
  try {
    for (const plugin of list.plugins) {
      const { type } = plugin;
      const path = await findPlugin(type, settings.pluginFolders);
      const answer = await ask(path, "VERSION", JSON.stringify({ cniVersion: list.cniVersion }));
      const spoken = supportedVersions(answer, `answer of plugin ${type} to VERSION`);
      if (!spoken.includes(list.cniVersion))
        return `plugin ${type} does not speak CNI ${list.cniVersion}: write one of ${spoken.join(", ")} as cniVersion`;
      attributes[`plugins.cni.version.${type}`] ??= await versionOf(path, timeoutMs);
      if (isAtLeast(list.cniVersion, statusVersion))
        await ask(path, "STATUS", pluginInput(list, plugin, undefined, undefined));
    }
    return undefined;
  } catch (error) {
    if (error instanceof PluginError && error.code === 50) return `not available now: ${error.message}`;
    return (error as Error).message;
  }
}

/** What a plugin says of itself: "CNI bridge plugin v1.1.1". Distributions leave it out at times. */
async function versionOf(path: string, timeoutMs: number): Promise<string> {
  const { output, errors } = await runToEnd(path, ["--version"], "", timeoutMs);
  return / plugin v?(\d+\.\d+\.\d+\S*)/.exec(output + errors)?.[1] ?? "unknown";
}
