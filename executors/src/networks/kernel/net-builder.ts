import type { GroupNetwork } from "@muster/proto";
import type { NetSpec } from "../../world/nets.ts";

/** Makes what a network mode needs besides the namespace. Failures are thrown, with what is wrong. */
export interface NetBuilder {
  /** As in `Network.name`. */
  readonly mode: string;
  /** Makes what groups of this mode share; gives lines for `ip` that are run right after the namespace was made. */
  prepare(spec: NetSpec, namespace: string): Promise<readonly string[]>;
  /** Furnishes the namespace of that name, or makes sure that it is furnished; gives the group's own addresses. */
  build(spec: NetSpec, namespace: string, wasThere: boolean): Promise<readonly string[]>;
  /** What tasks are told of a network that is built, where others than the job have a say in it. Absent: nobody has. */
  settings?(spec: NetSpec): GroupNetwork;
  /** The host's end of the link of a network that is built: what goes through it can be bounded there. Absent: none has one. */
  hostEnd?(spec: NetSpec, namespace: string): Promise<string>;
  /** Whether `remove` has to come to its end before the namespace goes. If not, they go at the same time. */
  readonly needsNamespaceToRemove: boolean;
  /** Takes away what lies outside the namespace. Doing it twice is harmless. */
  remove(spec: NetSpec, namespace: string): Promise<void>;
  /** Frees what it has made for groups other than the owned, and mends what the ready lack. May be called at any time. */
  reconcile(groups: OwnedGroups): Promise<void>;
  /** No group of any mode is left: what groups share goes, too; at the agent's end also what waits for more groups. */
  close(isEnd: boolean): Promise<void>;
  /** The agent stops: what only it needs goes, networks stay. */
  leave(): Promise<void>;
}

/** The groups that have, or are about to have, a network; always as they are now. */
export interface OwnedGroups {
  isOwned(key: string): boolean;
  /** Everything of the owned groups, whether or not it is made yet. */
  owned(): readonly NetSpec[];
  /** Those that are made, and not being changed. */
  ready(): readonly NetSpec[];
}
