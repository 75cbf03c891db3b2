import { type BlockSchema, block, works } from "./model.ts";

export const parameterizedBlock: BlockSchema = block(
  "A job that runs each time that it is dispatched, with what the dispatch gives it; of batch and sysbatch jobs.",
  {
    attributes: {
      payload: works("string", "optional (default), required or forbidden.", {
        oneOf: ["optional", "required", "forbidden"],
      }),
      meta_required: works("strings", "Names that a dispatch must give."),
      meta_optional: works("strings", "Names that it may give."),
    },
  },
);

export const dispatchPayloadBlock: BlockSchema = block("What a dispatch brings, as a file of the task.", {
  attributes: { file: works("string", "Where, below local/.", { required: true }) },
});
