import { type BlockSchema, block, works } from "./model.ts";

export const ephemeralDiskBlock: BlockSchema = block("Disk of a group's tasks together.", {
  attributes: {
    size: works("integer", "MiB that are booked, and that files may take; 300.", { min: 1 }),
    sticky: works(
      "bool",
      "A new instance of a service goes where the old was if there is room, and finds its files; false.",
    ),
    migrate: works(
      "bool",
      "With `sticky`: where it goes to another agent, copies of the files go with it, if that of the old can be asked; false.",
    ),
  },
});
