import type { AssignedPort } from "@muster/proto";

/** A way for tasks to be reached. Pure: what it needs of the kernel is made by `Nets`. */
export interface Network {
  /** As it stands in TaskGroup.network_mode; a family such as "cni/NAME" by its first part. */
  readonly name: string;
  /** Whether a group that has it can have no other network. */
  readonly isAlone: boolean;
  /** Whether groups have a network namespace of their own. */
  readonly hasNamespace: boolean;
  /** Whether each group takes one of the agent's own addresses. */
  readonly takesAddress: boolean;
  /** Whether groups can have ports at all. */
  readonly hasPorts: boolean;
  /** Whether ports are on the group's own address, so that they take none of the host's. */
  readonly hasOwnPorts: boolean;
  /** Whether a port request may name another port inside than outside. */
  readonly mapsPorts: boolean;
  /** Whether it can be bounded how much a group sends, gets and connects. */
  readonly takesLimits: boolean;
  /** The port on which a task itself listens. */
  portInside(port: AssignedPort): number;
}
