import { problemOfArtifact } from "../job/artifacts.ts";
import { type Artifact, artifactsMax, type Driver, hasImage, type Task } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

/** What is fetched before a task starts. A slip in a source is found now, unless it holds what only the agent knows. */
export function buildArtifacts(block: DecodedBlock, driver: Driver | undefined): Pick<Task, "artifacts"> {
  const written = block.all("artifact");
  if (written.length === 0) return {};
  written[artifactsMax]?.error(undefined, {
    code: "job/artifact",
    summary: `a task has at most ${artifactsMax} artifacts`,
  });
  return { artifacts: written.map((one) => buildOne(one, driver)) };
}

function buildOne(block: DecodedBlock, driver: Driver | undefined): Artifact {
  const artifact: Artifact = {
    source: block.text("source") ?? "",
    destination: block.text("destination") ?? "local/",
    mode: (block.text("mode") ?? "any") as Artifact["mode"],
    options: block.textMap("options"),
    headers: block.textMap("headers"),
    insecure: block.bool("insecure") ?? false,
    chown: block.bool("chown") ?? false,
  };
  // That it is missing has been said.
  const wrong = block.has("source") ? problemOfArtifact(artifact) : undefined;
  if (wrong) {
    const [place = "source"] = wrong.field.split(".");
    block.error(block.has(place) ? place : undefined, {
      code: "job/artifact",
      summary: `artifact: ${wrong.field === "source" ? "" : `${wrong.field}: `}${wrong.problem}`,
    });
  }
  if (driver && hasImage(driver) && !isSeen(artifact.destination))
    block.warning("destination", {
      code: "job/artifact",
      summary: `a container from an image does not see "${artifact.destination}"`,
      hint: "put it below local/, secrets/ or alloc/, which are /local, /secrets and /alloc inside",
    });
  return artifact;
}

function isSeen(destination: string): boolean {
  return destination.includes("${") || /^(\.?\/|\.\.\/)?(local|secrets|alloc)(\/|$)/.test(destination);
}
