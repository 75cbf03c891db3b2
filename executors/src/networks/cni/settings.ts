/** Where the host's CNI networks and plugins are. */
export interface CniSettings {
  /** Folder of the configurations: files named .conflist, .conf or .json. */
  readonly configFolder: string;
  /** Folders of the plugins, searched in this order. */
  readonly pluginFolders: readonly string[];
  /**
   * Names of networks to which nobody else of this host attaches anything, no other agent and no other runtime: their plugins
   * are told at the agent's start which attachments are valid, and free all others.
   */
  readonly ownedNetworks: readonly string[];
  /** A plugin that runs longer is killed. Milliseconds. */
  readonly pluginTimeoutMs: number;
}

export const cniDefaults: CniSettings = {
  configFolder: "/etc/cni/net.d",
  pluginFolders: ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"],
  ownedNetworks: [],
  pluginTimeoutMs: 60_000,
};

/** "cni/NAME" without its family. */
export function nameOfMode(mode: string): string {
  return mode.slice("cni/".length);
}
