import { findDriver } from "../../drivers/drivers.ts";
import { findNetwork } from "../../networks/networks.ts";
import type { ArtifactsWish } from "../../world/artifacts.ts";
import { taskEnvironment } from "../environment/environment.ts";
import { createInterpolation } from "../environment/interpolation.ts";
import type { CoreConfig, Task } from "./model.ts";
import type { Context } from "./status.ts";

/** Whether a task has to wait for what is fetched for it; the first time it is asked for. Its network and image are there. */
export function awaitsArtifacts(context: Context, task: Task): boolean {
  if (task.spec.artifacts.length === 0 || task.artifacts === "ready") return false;
  if (task.artifacts === "fetching") return true;
  const wish = wishOf(task, context.state.config);
  if (!wish) return false;
  task.artifacts = "fetching";
  // Also where it is to be started again: that its time has come is settled.
  task.phase = "preparing";
  context.effects.push({ type: "fetch-artifacts", wish });
  return true;
}

/** Undefined: its driver or its network is gone, which its start will say. */
function wishOf(task: Task, config: CoreConfig): ArtifactsWish | undefined {
  const driver = findDriver(task.spec.driver);
  const network = findNetwork(task.group.networkMode);
  if (!driver || !network) return undefined;
  // Folders are named as they are on the host, whatever the task calls them.
  const { interpolate } = createInterpolation(taskEnvironment(task, config, network), task, config);
  const filled = (texts: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, interpolate(text)]));
  const { user, container } = driver.plan(task, config, network);
  return {
    id: task.id,
    artifacts: task.spec.artifacts.map((artifact) => ({
      ...artifact,
      source: interpolate(artifact.source),
      destination: interpolate(artifact.destination),
      options: filled(artifact.options),
      headers: filled(artifact.headers),
    })),
    user,
    container,
  };
}
