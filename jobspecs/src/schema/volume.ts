import { type BlockSchema, block, refused, refusedBlock, warned, works } from "./model.ts";

const ofCsi = "volumes of type csi are not available in this release";

export const volumeBlock: BlockSchema = block("A folder of the agents that operators have declared.", {
  labels: 1,
  repeats: true,
  attributes: {
    type: works("string", "host; csi is refused.", { required: true, oneOf: ["host", "csi"] }),
    source: works("string", "Name that operators gave it; agents without it are not used.", { required: true }),
    read_only: works("bool", "No task of the group writes to it; false."),
    per_alloc: works("bool", "One volume an instance; refused if true."),
    sticky: warned("The same volume again.", "a host volume belongs to its agent"),
    access_mode: refused("Of csi.", ofCsi),
    attachment_mode: refused("Of csi.", ofCsi),
  },
  blocks: { mount_options: refusedBlock("Of csi.", ofCsi) },
});

export const volumeMountBlock: BlockSchema = block("Where a task finds a volume of its group.", {
  repeats: true,
  attributes: {
    volume: works("string", "Label of the volume.", { required: true }),
    destination: works("string", "Absolute path inside; of a plain process below its own folder.", { required: true }),
    read_only: works("bool", "It can't be written to, which takes a container; false."),
    propagation_mode: works("string", "private (default); others are refused.", {
      oneOf: ["private", "host-to-task", "bidirectional"],
    }),
    selinux_label: warned("Z, z or nothing.", "labels of SELinux are not set"),
  },
});
