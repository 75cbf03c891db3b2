import { invalid } from "@muster/foundation";
import { asList, asObject, asText, type JsonObject, parseObject } from "./read-json.ts";

/** Plugins of one network. */
export const pluginsMax = 32;

/** Versions of CNI that are spoken here, oldest first. Older ones have another form of result. */
export const cniVersions: readonly string[] = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/** A network as its configuration says: plugins that are run one after another. */
export interface NetworkList {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly PluginConfig[];
  /** Its author does not want what is not valid to be freed. */
  readonly disablesGc: boolean;
}

export interface PluginConfig {
  /** Name of the program. */
  readonly type: string;
  /** Everything that stands there; the plugin reads it. */
  readonly fields: JsonObject;
  /** What it declares to take from the runtime. */
  readonly capabilities: ReadonlySet<string>;
}

/** Reads a configuration: a list of plugins, or one plugin. `what` names it in errors. */
export function parseNetworkList(text: string, what: string): NetworkList {
  const root = parseObject(text, what);
  const name = asText(root["name"], `${what}: name`);
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name))
    throw invalid(`${what}: name`, `"${name}" must have 1 to 64 letters, digits, ".", "_" or "-"`);
  const cniVersion = asText(root["cniVersion"] ?? "", `${what}: cniVersion`);
  if (!cniVersions.includes(cniVersion))
    throw invalid(`${what}: cniVersion`, `"${cniVersion}" is none of ${cniVersions.join(", ")}`);
  const isSingle = root["plugins"] === undefined;
  const plugins = isSingle ? [root] : asList(root["plugins"], `${what}: plugins`, pluginsMax);
  if (plugins.length === 0) throw invalid(`${what}: plugins`, "must not be empty");
  return {
    name,
    cniVersion,
    disablesGc: root["disableGC"] === true,
    plugins: plugins.map((plugin, index) =>
      readPlugin(asObject(plugin, `${what}: plugins[${index}]`), isSingle ? what : `${what}: plugins[${index}]`),
    ),
  };
}

function readPlugin(fields: JsonObject, what: string): PluginConfig {
  const type = asText(fields["type"], `${what}.type`);
  // It becomes a path: plugins of other folders are not for configurations to choose.
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/.test(type)) throw invalid(`${what}.type`, `"${type}" is no plugin's name`);
  const capabilities =
    fields["capabilities"] === undefined ? {} : asObject(fields["capabilities"], `${what}.capabilities`);
  return {
    type,
    fields,
    capabilities: new Set(Object.keys(capabilities).filter((name) => capabilities[name] === true)),
  };
}

/** Whether a version is that one or a later one; both are of those spoken here. */
export function isAtLeast(version: string, other: string): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(other);
}
