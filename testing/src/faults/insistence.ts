import type { RequestOf } from "@muster/foundation";
import type { MasterHost, OperatorMethod } from "../cluster/master-host.ts";
import type { World } from "../world/world.ts";

/** A call that could not be made is made again after so long: operators do not give up. */
const againMs = 1_000;

/** Makes an operator's call until it is done, or until it has become pointless. `done` is called in both cases. */
export function insist<M extends OperatorMethod>(
  world: World,
  master: MasterHost,
  call: { readonly method: M; readonly request: () => RequestOf<M>; readonly isPointless?: () => boolean },
  done: () => void = () => {},
): void {
  const attempt = (): void =>
    master.operate(call.method, call.request(), (isDone) => {
      if (isDone || call.isPointless?.()) done();
      else world.after(undefined, againMs, "operator", attempt);
    });
  attempt();
}
