import {
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { toGrpcStatus } from "../errors/grpc-status.ts";
import { MusterError } from "../errors/muster-error.ts";
import type { Log } from "../logging/log.ts";
import { type CredentialsProvider, loopbackCredentials } from "./credentials.ts";
import { methodDefinition, methodsOfService, serviceNames } from "./definition.ts";
import { channelOptions } from "./grpc-transport.ts";
import type { MethodName } from "./method.ts";
import type { CallHandler, FollowHandler, Handlers, Inlet, Outlet, Peer, StreamHandler } from "./transport.ts";

/** Streams that one connection may have open. */
const streamsPerConnectionMax = 1_024;

export interface GrpcServerOptions {
  /** Host and port; port 0 takes a free one. */
  address: string;
  credentials?: CredentialsProvider;
  log: Log;
  /** More services, such as health and reflection. */
  extend?: (server: Server) => void;
  /** Called once with the address in use, or with why it is not. */
  listening: (result: { address: string; port: number } | MusterError) => void;
}

export interface GrpcServer {
  /** Ends every stream, then calls back. */
  close(done: () => void): void;
}

/** Serves a table of handlers over gRPC. Methods of the contract that it lacks answer UNIMPLEMENTED. */
export function serveGrpc(handlers: Handlers, options: GrpcServerOptions): GrpcServer {
  const server = new Server({
    ...channelOptions,
    "grpc.max_concurrent_streams": streamsPerConnectionMax,
  });
  for (const service of serviceNames()) {
    const names = methodsOfService(service).filter((name) => handlers[name] !== undefined);
    if (names.length === 0) continue;
    const definition: Record<string, unknown> = {};
    const implementation: Record<string, unknown> = {};
    for (const name of names) {
      const method = name.slice(service.length + 1);
      definition[method] = methodDefinition(name);
      implementation[method] = serveMethod(name, handlers, options.log);
    }
    server.addService(definition as ServiceDefinition, implementation as UntypedServiceImplementation);
  }
  options.extend?.(server);
  const credentials = (options.credentials ?? loopbackCredentials).server();
  server.bindAsync(options.address, credentials, (error, port) => {
    if (error) {
      options.listening(
        new MusterError("unavailable", `can't listen on ${options.address}: ${error.message}`, { cause: error }),
      );
      return;
    }
    options.listening({ address: `${options.address.slice(0, options.address.lastIndexOf(":"))}:${port}`, port });
  });
  return {
    close: (done) => {
      server.forceShutdown();
      done();
    },
  };
}

function serveMethod(name: MethodName, handlers: Handlers, log: Log): unknown {
  const definition = methodDefinition(name);
  if (definition.requestStream) return serveStream(handlers[name] as unknown as StreamHandler<never>, name, log);
  if (definition.responseStream) return serveFollow(handlers[name] as unknown as FollowHandler<never>, name, log);
  return serveCall(handlers[name] as unknown as CallHandler<never>, name, log);
}

/** On loopback nobody has to say who they are. */
function peerOf(call: { getPeer(): string }): Peer {
  return { address: call.getPeer(), principal: "local" };
}

/** An error as the wire may see it: what is not ours goes to the log under an id, and only the id to the caller. */
function forWire(error: unknown, name: MethodName, log: Log): MusterError {
  if (error instanceof MusterError && error.kind !== "internal") return error;
  const id = Math.random().toString(36).slice(2, 10);
  log.error({ error, method: name, requestId: id }, "a call failed unexpectedly");
  return new MusterError("internal", `internal error, id ${id}`);
}

function serveCall(handler: CallHandler<never>, name: MethodName, log: Log) {
  return (call: ServerUnaryCall<never, never>, reply: sendUnaryData<never>): void => {
    let answered = false;
    const respond = (error: unknown, value?: unknown): void => {
      if (answered) return;
      answered = true;
      if (error) reply({ ...toGrpcStatus(forWire(error, name, log)) } as never);
      else reply(null, value as never);
    };
    try {
      const cancel = handler(call.request, peerOf(call), (result) =>
        result.ok ? respond(undefined, result.value) : respond(result.error),
      );
      call.on("cancelled", () => {
        if (answered) return;
        answered = true;
        cancel?.();
      });
    } catch (error) {
      respond(error);
    }
  };
}

function serverOutlet(
  call: ServerDuplexStream<unknown, unknown> | ServerWritableStream<unknown, unknown>,
  name: MethodName,
  log: Log,
): Outlet<unknown> & { over: boolean } {
  const outlet = {
    over: false,
    send: (message: unknown) => {
      if (!outlet.over) call.write(message);
    },
    ready: () => !outlet.over && !call.writableNeedDrain,
    end: (error?: MusterError) => {
      if (outlet.over) return;
      outlet.over = true;
      if (error) call.emit("error", toGrpcStatus(forWire(error, name, log)));
      else call.end();
    },
  };
  return outlet;
}

function serveStream(handler: StreamHandler<never>, name: MethodName, log: Log) {
  return (call: ServerDuplexStream<unknown, unknown>): void => {
    const outlet = serverOutlet(call, name, log);
    let closed = false;
    let inlet: Inlet<unknown>;
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        outlet.end(MusterError.from(error));
      }
    };
    const close = (error: MusterError | undefined): void => {
      if (closed) return;
      closed = true;
      guarded(() => inlet.closed(error));
      outlet.end();
    };
    try {
      inlet = handler(outlet as never, peerOf(call)) as Inlet<unknown>;
    } catch (error) {
      outlet.end(MusterError.from(error));
      return;
    }
    call.on("data", (message: unknown) => {
      if (!closed) guarded(() => inlet.receive(message));
    });
    call.on("drain", () => guarded(() => inlet.drained()));
    call.on("end", () => close(undefined));
    call.on("cancelled", () => close(new MusterError("cancelled", "the peer left")));
    call.on("error", (error: Error) => {
      // Our own `end(error)` comes by here too; the handler knows of that.
      if (!outlet.over) close(new MusterError("unavailable", error.message, { cause: error }));
    });
  };
}

function serveFollow(handler: FollowHandler<never>, name: MethodName, log: Log) {
  return (call: ServerWritableStream<unknown, unknown>): void => {
    const outlet = serverOutlet(call, name, log);
    let closed = false;
    try {
      const inlet = handler(call.request as never, outlet as never, peerOf(call));
      const close = (error: MusterError | undefined): void => {
        if (closed) return;
        closed = true;
        inlet.closed(error);
      };
      call.on("drain", () => inlet.drained());
      call.on("cancelled", () => close(new MusterError("cancelled", "the peer left")));
      call.on("close", () => close(undefined));
    } catch (error) {
      outlet.end(MusterError.from(error));
    }
  };
}
