import { problemOfArtifact } from "./artifacts.ts";
import { type Reader, typed } from "./reader.ts";
import { type Artifact, artifactsMax, type Task } from "./types.ts";

const readOne = typed((reader): Artifact => {
  const artifact: Artifact = {
    source: reader.text("source", 4_096),
    destination: reader.text("destination", 4_096),
    mode: reader.oneOf("mode", ["any", "file", "dir"]),
    options: reader.textMap("options"),
    headers: reader.textMap("headers"),
    insecure: reader.bool("insecure"),
    chown: reader.bool("chown"),
  };
  const wrong = problemOfArtifact(artifact);
  return wrong ? reader.fail(wrong.field, wrong.problem) : artifact;
});

export function readArtifacts(reader: Reader): Pick<Task, "artifacts"> {
  return reader.has("artifacts") ? { artifacts: reader.list("artifacts", artifactsMax, readOne) } : {};
}
