/** Where the host's CNI networks and plugins are. */
export interface CniSettings {
  /** Folder of the configurations: files named .conflist, .conf or .json. */
  readonly configFolder: string;
  /** Folders of the plugins, searched in this order. */
  readonly pluginFolders: readonly string[];
  /** A plugin that runs longer is killed. Milliseconds. */
  readonly pluginTimeoutMs: number;
}

export const cniDefaults: CniSettings = {
  configFolder: "/etc/cni/net.d",
  pluginFolders: ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"],
  pluginTimeoutMs: 60_000,
};

/** "cni/NAME" without its family. */
export function nameOfMode(mode: string): string {
  return mode.slice("cni/".length);
}
