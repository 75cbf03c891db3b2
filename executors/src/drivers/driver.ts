import type { StatusReason, TaskSpec } from "@muster/proto";
import type { CoreConfig, Task } from "../agent/core/model.ts";
import type { Network } from "../networks/network.ts";
import type { ImageWish } from "../world/images.ts";
import type { ProcSpec } from "../world/proc.ts";

/** A way to run tasks. Pure: it turns a task's description into what a shim is to run. */
export interface Driver {
  /** As it stands in TaskSpec.driver. */
  readonly name: string;
  /** What of a description it can't do on this agent; undefined if nothing. */
  validate(spec: TaskSpec, config: CoreConfig): DriverRefusal | undefined;
  /** The image that a task needs before it can be planned. Absent: tasks of this driver need none. */
  image?(task: Task, config: CoreConfig, network: Network): ImageWish;
  /** What people call the image of a description. */
  imageName?(driverConfigJson: string): string;
  /** What to run. Called once the ports of the task's group are known. */
  plan(task: Task, config: CoreConfig, network: Network): ProcSpec;
}

export interface DriverRefusal {
  readonly reason: StatusReason;
  /** What is wrong and what to do. */
  readonly message: string;
}
