import type { StatusReason, TaskSpec } from "@muster/proto";
import type { CoreConfig, Task } from "../agent/core/model.ts";
import type { Network } from "../networks/network.ts";
import type { ProcSpec } from "../world/proc.ts";

/** A way to run tasks. Pure: it turns a task's description into what a shim is to run. */
export interface Driver {
  /** As it stands in TaskSpec.driver. */
  readonly name: string;
  /** What of a description it can't do on this agent; undefined if nothing. */
  validate(spec: TaskSpec, config: CoreConfig): DriverRefusal | undefined;
  /** What to run. Called once the ports of the task's group are known. */
  plan(task: Task, config: CoreConfig, network: Network): ProcSpec;
}

export interface DriverRefusal {
  readonly reason: StatusReason;
  /** What is wrong and what to do. */
  readonly message: string;
}
