import { findNetwork } from "../../networks/networks.ts";
import { asHostname } from "../core/hostnames.ts";
import type { CoreConfig, Task } from "../core/model.ts";
import { taskEnvironment } from "./environment.ts";
import { createInterpolation } from "./interpolation.ts";

/** A group's host name with what its references stand for, as its first task has it. */
export function filledHostname(hostname: string, task: Task, config: CoreConfig): string {
  const network = hostname.includes("${") ? findNetwork(task.group.networkMode) : undefined;
  if (network === undefined) return hostname;
  return asHostname(createInterpolation(taskEnvironment(task, config, network), task, config).interpolate(hostname));
}
