import { releasePorts } from "../../ports/allocator.ts";
import type { Group } from "./model.ts";
import type { Context } from "./status.ts";

/** Returns the ports of a group of which nothing runs any more. Doing it twice changes nothing. */
export function giveBackPorts({ state, now }: Context, group: Group): void {
  if (group.released) return;
  group.released = true;
  const numbers = [...group.assigned.map(({ number }) => number), ...group.ports.map(({ number }) => number)];
  releasePorts(state.ports, group.key, numbers, now.monotonicMs);
}
