import { type BlockSchema, block, warned, works } from "./model.ts";

const empty =
  "a new instance begins with empty folders, on any agent that has room; what is to outlive one belongs elsewhere";

export const ephemeralDiskBlock: BlockSchema = block("Disk of a group's tasks together.", {
  attributes: {
    size: works("integer", "MiB that are booked, and that files may take; 300.", { min: 1 }),
    sticky: warned("A new instance goes where the old was, and finds its files.", empty),
    migrate: warned("Its files come along to another agent.", empty),
  },
});
