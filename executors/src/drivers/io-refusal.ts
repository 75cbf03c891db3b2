import { StatusReason, type TaskSpec } from "@muster/proto";
import type { CoreConfig } from "../agent/core/model.ts";
import type { DriverRefusal } from "./driver.ts";

/** The attribute of agents that can limit what tasks read from their disk and write to it. */
export const ioLimitsAttribute = "io.limits";

/** A bound that is asked for is kept or the task is refused, never left out. */
export function ioRefusal(spec: TaskSpec, { attributes }: CoreConfig): DriverRefusal | undefined {
  if (spec.ioMiBPerSecondMax === undefined || attributes[ioLimitsAttribute] !== undefined) return undefined;
  const message = "io_max: this agent can't keep limits of its disk; `muster agent status` says why";
  return { reason: StatusReason.REASON_UNSUPPORTED, message };
}
