import type { NetBuilder } from "../kernel/net-builder.ts";
import { runTool } from "../kernel/run-tool.ts";

/** Loopback alone. */
export const noNetworkBuilder: NetBuilder = {
  mode: "none",
  needsNamespaceToRemove: false,
  prepare: async () => [],
  build: async (_spec, namespace) => {
    await runTool("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    return [];
  },
  remove: async () => {},
  reconcile: async () => {},
  close: async () => {},
  leave: async () => {},
};
