import { methods } from "@muster/proto";
import { MusterError } from "../../errors/muster-error.ts";
import type { Log } from "../../logging/log.ts";
import { type Codec, methodCodecs } from "../codec.ts";
import type { MethodName } from "../method.ts";
import type { CallHandler, FollowHandler, Handlers, Inlet, Outlet, StreamHandler } from "../transport.ts";
import type { Serve } from "./generic-services.ts";
import { messageHeadBytes } from "./message-reader.ts";
import type { ServerCall } from "./server-call.ts";

/** How calls of a method of the contract are served by its handler. */
export function serveMethod(name: MethodName, handlers: Handlers, log: Log): Serve {
  const { request, response } = methodCodecs(name);
  const method: Served = {
    read: (bytes) => read(request, bytes),
    write: (message) => response.encode(message, messageHeadBytes),
    forWire: (error) => forWire(error, name, log),
  };
  const { requestStream, responseStream } = methods[name];
  if (requestStream) return serveStream(handlers[name] as unknown as StreamHandler<never>, method);
  if (responseStream) return serveFollow(handlers[name] as unknown as FollowHandler<never>, method);
  return serveCall(handlers[name] as unknown as CallHandler<never>, method);
}

interface Served {
  readonly read: (bytes: Buffer) => unknown;
  readonly write: (message: unknown) => Buffer;
  readonly forWire: (error: unknown) => MusterError;
}

function read(codec: Codec<unknown>, bytes: Buffer): unknown {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new MusterError("invalid", "the bytes are no message of this method", { cause });
  }
}

/** An error as the wire may see it: what is not ours goes to the log under an id, and only the id to the caller. */
function forWire(error: unknown, name: MethodName, log: Log): MusterError {
  if (error instanceof MusterError && error.kind !== "internal") return error;
  const id = Math.random().toString(36).slice(2, 10);
  log.error({ error, method: name, requestId: id }, "a call failed unexpectedly");
  return new MusterError("internal", `internal error, id ${id}`);
}

function outletOf(call: ServerCall, { write, forWire }: Served): Outlet<unknown> {
  return {
    send: (message) => call.send(write(message)),
    ready: () => call.ready(),
    end: (error) => call.end(error && forWire(error)),
  };
}

function serveStream(handler: StreamHandler<never>, method: Served): Serve {
  return (call) => {
    const outlet = outletOf(call, method);
    let inlet: Inlet<unknown>;
    try {
      inlet = handler(outlet as never, call.peer) as Inlet<unknown>;
    } catch (error) {
      outlet.end(MusterError.from(error));
      return;
    }
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        outlet.end(MusterError.from(error));
      }
    };
    let isClosed = false;
    const close = (error: MusterError | undefined): void => {
      if (isClosed) return;
      isClosed = true;
      guarded(() => inlet.closed(error));
      outlet.end();
    };
    call.listen({
      message: (bytes) => guarded(() => inlet.receive(method.read(bytes))),
      drained: () => guarded(() => inlet.drained()),
      halfClosed: () => close(undefined),
      over: close,
    });
  };
}

function serveFollow(handler: FollowHandler<never>, method: Served): Serve {
  return (call) => {
    const outlet = outletOf(call, method);
    let inlet: Inlet<never> | undefined;
    call.listen({
      message: (bytes) => {
        if (inlet !== undefined) return;
        try {
          inlet = handler(method.read(bytes) as never, outlet as never, call.peer);
        } catch (error) {
          outlet.end(MusterError.from(error));
        }
      },
      drained: () => inlet?.drained(),
      halfClosed: () => {
        if (inlet === undefined) outlet.end(noRequest);
      },
      over: (error) => inlet?.closed(error),
    });
  };
}

function serveCall(handler: CallHandler<never>, method: Served): Serve {
  return (call) => {
    let isAsked = false;
    let isAnswered = false;
    let cancel: (() => void) | undefined;
    const respond = (error: unknown, value?: unknown): void => {
      if (isAnswered) return;
      isAnswered = true;
      if (!error) call.send(method.write(value));
      call.end(error ? method.forWire(error) : undefined);
    };
    call.listen({
      message: (bytes) => {
        if (isAsked) return;
        isAsked = true;
        try {
          cancel = handler(method.read(bytes) as never, call.peer, (result) =>
            result.ok ? respond(undefined, result.value) : respond(result.error),
          );
        } catch (error) {
          respond(error);
        }
      },
      drained: () => {},
      halfClosed: () => {
        if (!isAsked) respond(noRequest);
      },
      over: () => {
        if (isAnswered) return;
        isAnswered = true;
        cancel?.();
      },
    });
  };
}

const noRequest = new MusterError("invalid", "the call has no request");
