import type { NetSpec } from "../../world/nets.ts";

/** Makes what a network mode needs besides the namespace. Failures are thrown, with what is wrong. */
export interface NetBuilder {
  /** As in `Network.name`. */
  readonly mode: string;
  /** Furnishes the namespace of that name, or makes sure that it is furnished; gives the group's own addresses. */
  build(spec: NetSpec, namespace: string, wasThere: boolean): Promise<readonly string[]>;
  /** Takes away what lies outside the namespace; the namespace itself goes afterwards. Doing it twice is harmless. */
  remove(spec: NetSpec, namespace: string): Promise<void>;
  /** Frees what it has made for other groups than these. */
  keep(keys: ReadonlySet<string>): Promise<void>;
}
