import { Client, type ClientDuplexStream, type ClientReadableStream, type ServiceError } from "@grpc/grpc-js";
import { fromGrpcStatus } from "../errors/grpc-status.ts";
import { MusterError } from "../errors/muster-error.ts";
import { type CredentialsProvider, loopbackCredentials } from "./credentials.ts";
import { methodDefinition } from "./definition.ts";
import type { MethodName } from "./method.ts";
import type { Inlet, Outlet, Transport } from "./transport.ts";

/** Bytes of a message that we take. */
export const messageBytesMax = 4 * 1024 * 1024;
/** What clients and servers have in common. */
export const channelOptions = {
  // HTTP/2 pings find a dead peer on an idle connection; they cost a tenth of a message of our own.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": messageBytesMax,
} as const;
/** A server may send so many bytes before it is told that they were read: several batches, so that it need not wait. */
const windowBytes = 1024 * 1024;
export const clientOptions = {
  ...channelOptions,
  "grpc-node.flow_control_window": windowBytes,
  // Figures of each call that nobody asks for. A server needs them: without, it does not know which connections to end.
  "grpc.enable_channelz": 0,
} as const;
/** A request-and-answer call that names no limit would wait for ever; nothing here does. */
const timeoutMsDefault = 30_000;

export interface GrpcTransport extends Transport {
  /** Ends every stream and connection. */
  close(): void;
}

/** Calls over gRPC, one connection an address; transports share none. */
export function grpcTransport(options: { credentials?: CredentialsProvider } = {}): GrpcTransport {
  const credentials = options.credentials ?? loopbackCredentials;
  const clients = new Map<string, Client>();
  const clientOf = (address: string): Client => {
    const known = clients.get(address);
    if (known) return known;
    const client = new Client(address, credentials.channel(), {
      ...clientOptions,
      "grpc.keepalive_permit_without_calls": 0,
      "grpc.enable_retries": 0,
      // Else all transports of a process would share one connection, and with it the streams that a server lets it have.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": 2_000,
      "grpc.service_config_disable_resolution": 1,
    });
    clients.set(address, client);
    return client;
  };
  return {
    open(name, address, inlet) {
      const method = methodDefinition(name);
      const call = clientOf(address).makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
      );
      listen(call, inlet as Inlet<unknown>);
      call.on("drain", () => inlet.drained());
      return clientOutlet(call) as Outlet<never>;
    },
    call(name, address, request, timeoutMs, done) {
      const method = methodDefinition(name);
      let answered = false;
      const call = clientOf(address).makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        { deadline: Date.now() + (timeoutMs > 0 ? timeoutMs : timeoutMsDefault) },
        (error, response) => {
          if (answered) return;
          answered = true;
          if (error) done({ ok: false, error: describe(error, name, address) });
          else done({ ok: true, value: response as never });
        },
      );
      return () => {
        answered = true;
        call.cancel();
      };
    },
    follow(name, address, request, inlet) {
      const method = methodDefinition(name);
      const call = clientOf(address).makeServerStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
      );
      const stop = listen(call, inlet as Inlet<unknown>);
      return () => {
        stop();
        call.cancel();
      };
    },
    close() {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}

function describe(error: ServiceError | Error, name: MethodName, address: string): MusterError {
  const known = fromGrpcStatus(error as ServiceError);
  if (known.kind !== "unavailable" || !known.message.includes("No connection established")) return known;
  return new MusterError("unavailable", `no answer from ${address} to ${name}: ${connectionCause(known.message)}`, {
    cause: error,
  });
}

/** grpc-js wraps the operating system's words in its own; people need the former. */
function connectionCause(message: string): string {
  return /(connect E[A-Z]+|getaddrinfo E[A-Z]+)/.exec(message)?.[0] ?? "no connection";
}

function listen(call: ClientReadableStream<unknown>, inlet: Inlet<unknown>): () => void {
  let over = false;
  const close = (error: MusterError | undefined): void => {
    if (over) return;
    over = true;
    inlet.closed(error);
  };
  call.on("data", (message: unknown) => {
    if (!over) inlet.receive(message);
  });
  call.on("error", (error: ServiceError) => close(fromGrpcStatus(error)));
  call.on("end", () => close(undefined));
  return () => {
    over = true;
  };
}

function clientOutlet(call: ClientDuplexStream<unknown, unknown>): Outlet<unknown> {
  let over = false;
  return {
    send: (message) => {
      if (!over) call.write(message);
    },
    ready: () => !over && !call.writableNeedDrain,
    end: (error) => {
      if (over) return;
      over = true;
      if (error) call.cancel();
      else call.end();
    },
  };
}
