import { type BlockSchema, block, refused, works } from "./model.ts";

export const portBlock: BlockSchema = block("A port of the group.", {
  labels: 1,
  repeats: true,
  attributes: {
    static: works("integer", "Fixed host port; without it the agent chooses.", { min: 1, max: 65_535 }),
    to: works("integer", "Port inside; -1 = the host's.", { min: -1, max: 65_535 }),
    host_network: works("string", "Network of the host that the port is open on; all."),
    ignore_collision: refused("Share a static port.", "not available in this release"),
  },
});

/** Where jobs for Nomad before 0.12 have the network of a group: in the resources of its task. */
export const oldNetworkBlock: BlockSchema = block("Old place of the group's network, and taken as that.", {
  repeats: true,
  attributes: {
    mode: works("string", "As of the group's network."),
    mbits: works("integer", "Old bandwidth; without effect."),
  },
  blocks: { port: portBlock },
});
