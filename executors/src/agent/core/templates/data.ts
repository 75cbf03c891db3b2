import type { TemplateData } from "@muster/foundation";
import { findDriver } from "../../../drivers/drivers.ts";
import { findNetwork } from "../../../networks/networks.ts";
import type { AgentState, Now, Task } from "../model.ts";
import { type Known, needKey } from "./model.ts";
import { secretValue } from "./secrets.ts";

/** The task's environment as its driver makes it. */
export function environmentOf({ config }: AgentState, task: Task): Readonly<Record<string, string>> {
  const network = findNetwork(task.group.networkMode);
  const driver = findDriver(task.spec.driver);
  return network && driver ? driver.plan(task, config, network).environment : {};
}

/**
 * What a task's templates may ask. `takesWholeAlone`: services of which some may not be told yet are not known, as for a task
 * that runs with a file which says more.
 */
export function templateData(
  state: AgentState,
  task: Task,
  environment: Readonly<Record<string, string>>,
  now: Now,
  takesWholeAlone: boolean,
): TemplateData {
  const known = (kind: "service" | "services" | "key" | "keys", name: string): Known | undefined =>
    state.catalog.known.get(needKey({ kind, name }));
  return {
    environment,
    meta: task.spec.meta,
    secret: (name, key) => secretValue(task, name, key),
    service: (name) => {
      const found = known("service", name);
      return found?.kind === "service" && !(takesWholeAlone && found.isPartial) ? found.instances : undefined;
    },
    services: () => {
      const found = known("services", "");
      return found?.kind === "services" && !(takesWholeAlone && found.isPartial) ? found.services : undefined;
    },
    key: (path) => {
      const found = known("key", path);
      return found?.kind === "keys" ? { value: found.keys[0]?.[1] } : undefined;
    },
    keys: (folder) => {
      const found = known("keys", folder);
      return found?.kind === "keys" ? found.keys : undefined;
    },
    nowMs: now.epochMs,
  };
}
