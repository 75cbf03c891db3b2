import { type BlockSchema, block, works } from "./model.ts";

export const dependsOnBlock: BlockSchema = block(
  "A job that comes first: nothing starts before it is ready, and it is stopped after whoever needs it. Muster's own.",
  {
    repeats: true,
    attributes: {
      job: works("string", "Its id.", { required: true }),
      condition: works("string", "healthy (default): all its instances are; complete: a batch job that succeeded.", {
        oneOf: ["healthy", "complete"],
      }),
    },
  },
);
