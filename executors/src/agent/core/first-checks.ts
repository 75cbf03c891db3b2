import type { TaskSpec } from "@muster/proto";
import { eagerDelayMsFirst } from "./check-policy.ts";
import type { Check } from "./model.ts";

/** The checks of a task, none of which has been made. */
export function firstChecks(spec: TaskSpec): Check[] {
  return spec.healthChecks.map(() => ({
    nextAtMs: undefined,
    delayMs: eagerDelayMsFirst,
    failures: 0,
    everPassed: false,
    passing: false,
    lastMessage: "",
  }));
}
