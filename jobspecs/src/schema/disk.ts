import { type BlockSchema, block, warned, works } from "./model.ts";

const empty = "where a new instance can't start on the agent of the one before it begins with empty folders";

export const ephemeralDiskBlock: BlockSchema = block("Disk of a group's tasks together.", {
  attributes: {
    size: works("integer", "MiB that are booked, and that files may take; 300.", { min: 1 }),
    sticky: works(
      "bool",
      "A new instance of a service goes where the old was if there is room, and finds its files; false.",
    ),
    migrate: warned("Its files come along to another agent.", empty),
  },
});
