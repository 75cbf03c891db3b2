import type { AssignedPort } from "@muster/proto";

/** A way for tasks to be reached. Pure for as long as a mode needs nothing of the kernel. */
export interface Network {
  /** As it stands in TaskGroup.network_mode; a family such as "cni/NAME" by its first part. */
  readonly name: string;
  /** Whether a port request may name another port inside than outside. */
  readonly mapsPorts: boolean;
  /** The port on which a task itself listens. */
  portInside(port: AssignedPort): number;
}
