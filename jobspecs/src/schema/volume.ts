import { type BlockSchema, block, refused, refusedBlock, warned, works } from "./model.ts";

const ofCsi = "volumes of type csi are not available in this release";

export const volumeBlock: BlockSchema = block(
  "A folder that outlives instances: made for each of them, or declared by operators.",
  {
    labels: 1,
    repeats: true,
    attributes: {
      type: works(
        "string",
        "muster: one is made for each instance; host: operators have declared it; csi is refused.",
        {
          required: true,
          oneOf: ["muster", "host", "csi"],
        },
      ),
      size: works("integer", "MiB of one of type muster, which needs it.", { min: 1 }),
      source: works(
        "string",
        "Of type host, which needs it: the name that operators gave it; only agents that have it are used.",
      ),
      read_only: works("bool", "No task of the group writes to it; false."),
      per_alloc: works("bool", "One volume an instance, as those of type muster are; refused of type host."),
      sticky: works(
        "bool",
        "The same volume again; those of type muster are, those of type host belong to their agent.",
      ),
      access_mode: refused("Of csi.", ofCsi),
      attachment_mode: refused("Of csi.", ofCsi),
    },
    blocks: { mount_options: refusedBlock("Of csi.", ofCsi) },
  },
);

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
