import type { Log } from "@muster/foundation";
import type { ConfigFolder } from "./config-folder.ts";
import { isAtLeast, type NetworkList, type PluginConfig } from "./network-list.ts";
import { pluginEnvironment, pluginInput } from "./plugin-input.ts";
import { supportedVersions } from "./result.ts";
import { findPlugin, runPlugin } from "./run-plugin.ts";
import type { CniSettings } from "./settings.ts";

/** The first version with the verb GC. */
const gcVersion = "1.1.0";

/** One link of a group, as CNI names it. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

/**
 * Tells the plugins of this agent's own networks what is valid there; they free the rest, which no record of this agent knows
 * any more. Never of other networks: plugins would take what other agents or runtimes have for stray. Nothing may be added
 * meanwhile. What fails is told and left until the agent's next start.
 */
export async function collectGarbage(
  configs: ConfigFolder,
  settings: CniSettings,
  valid: (network: string) => readonly ValidAttachment[],
  log: Log,
): Promise<void> {
  for (const name of settings.ownedNetworks) {
    try {
      const { list } = await configs.find(name);
      if (!list.disablesGc && isAtLeast(list.cniVersion, gcVersion)) await collect(list, settings, valid(name));
    } catch (error) {
      log.warn({ error, network: `cni/${name}` }, "what is left of old attachments could not be freed");
    }
  }
}

/** All plugins are asked, whatever the others answer; the first failure is thrown. */
async function collect(list: NetworkList, settings: CniSettings, valid: readonly ValidAttachment[]): Promise<void> {
  let fault: unknown;
  for (const plugin of list.plugins) await tell(list, plugin, settings, valid).catch((error) => (fault ??= error));
  if (fault !== undefined) throw fault;
}

async function tell(
  list: NetworkList,
  plugin: PluginConfig,
  { pluginFolders, pluginTimeoutMs: timeoutMs }: CniSettings,
  valid: readonly ValidAttachment[],
): Promise<void> {
  const path = await findPlugin(plugin.type, pluginFolders);
  const run = (command: string, input: string): Promise<string> =>
    runPlugin({ path, environment: pluginEnvironment(command, pluginFolders), input, timeoutMs });
  const answer = await run("VERSION", JSON.stringify({ cniVersion: list.cniVersion }));
  if (!supportedVersions(answer, `answer of plugin ${plugin.type} to VERSION`).includes(gcVersion)) return;
  const input = JSON.parse(pluginInput(list, plugin, undefined, undefined));
  await run("GC", JSON.stringify({ ...input, "cni.dev/valid-attachments": valid }));
}
