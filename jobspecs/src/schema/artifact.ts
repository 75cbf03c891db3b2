import { type BlockSchema, block, works } from "./model.ts";

export const artifactBlock: BlockSchema = block("A file, archive or repository fetched before the start.", {
  repeats: true,
  attributes: {
    source: works(
      "string",
      "http(s) URL, absolute path of the agent, git::URL or github.com/owner/name; with //folder for a part of it.",
      { required: true },
    ),
    destination: works("string", "Below the task's folder; local/."),
    mode: works("string", "any (default), file: the destination is the file, or dir.", {
      oneOf: ["any", "file", "dir"],
    }),
    options: works("string-map", "checksum (sha256:... or file:URL), archive, filename; of git ref, depth."),
    headers: works("string-map", "Lines of the request; of http."),
    insecure: works("bool", "Any certificate will do; false."),
    chown: works("bool", "Given to the task's account instead of the agent's; false."),
  },
});
