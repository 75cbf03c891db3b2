import type {
  CallHandler,
  FollowHandler,
  HandlerOf,
  Handlers,
  Inlet,
  MusterError,
  StreamHandler,
} from "@muster/foundation";
import { methods } from "@muster/proto";
import { authorise, type ServedMethod } from "./rights.ts";

/** One handler for each method that the master serves. */
export type MasterHandlers = { readonly [M in ServedMethod]: HandlerOf<M> };

const deaf: Inlet<never> = { receive: () => {}, drained: () => {}, closed: () => {} };

/**
 * Puts two questions before every handler: is the master serving, and may this peer call? `refusal` answers the first.
 */
export function guardHandlers(handlers: MasterHandlers, refusal: () => MusterError | undefined): Handlers {
  const guarded: Record<string, unknown> = {};
  for (const name of Object.keys(handlers) as ServedMethod[]) {
    const { requestStream, responseStream } = methods[name];
    if (requestStream) {
      const handler = handlers[name] as unknown as StreamHandler<"Jobs.Serve">;
      guarded[name] = ((outlet, peer) => {
        const error = refusal() ?? authorise(name, peer);
        if (error === undefined) return handler(outlet, peer);
        outlet.end(error);
        return deaf;
      }) satisfies StreamHandler<"Jobs.Serve">;
    } else if (responseStream) {
      const handler = handlers[name] as unknown as FollowHandler<"Watch.Events">;
      guarded[name] = ((request, outlet, peer) => {
        const error = refusal() ?? authorise(name, peer);
        if (error === undefined) return handler(request, outlet, peer);
        outlet.end(error);
        return deaf;
      }) satisfies FollowHandler<"Watch.Events">;
    } else {
      const handler = handlers[name] as unknown as CallHandler<"State.Get">;
      guarded[name] = ((request, peer, respond) => {
        const error = refusal() ?? authorise(name, peer);
        if (error === undefined) return handler(request, peer, respond);
        respond({ ok: false, error });
        return undefined;
      }) satisfies CallHandler<"State.Get">;
    }
  }
  return guarded as Handlers;
}
