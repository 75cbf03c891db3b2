import { type DescMethod, fromBinary, type Message, type Registry, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { type MasterClients, redirectsMax } from "./masters.ts";

/** How closely messages are looked at on their way. */
export type Reading = "messages" | "bytes";

/** Bytes of one request message. */
export const requestBytesMax = 4 * 1024 * 1024;
/** Bytes of one request message of the `Jobs` service. */
export const jobsRequestBytesMax = 1024 * 1024;
/** Milliseconds that a call with one answer may take if its caller sets no deadline. */
export const callTimeoutMs = 30_000;

/**
 * Registers a relay for every method of the wire contract whose requests do not stream: messages go to the master as
 * bytes, with the caller's deadline and metadata; cancelling goes along. Browsers can't stream requests.
 * @param reading "messages" where they change their form (JSON), "bytes" where they only pass through: then they are
 * taken for messages without known fields, whose parts are kept as they came: 6 ms for a MiB of tasks instead of 150.
 */
export function relayAll(router: ConnectRouter, registry: Registry, masters: MasterClients, reading: Reading): void {
  for (const service of registry) {
    if (service.kind !== "service") continue;
    const readMaxBytes = service.name === "Jobs" ? jobsRequestBytesMax : requestBytesMax;
    for (const known of service.methods) {
      const method = reading === "messages" ? known : { ...known, input: EmptySchema, output: EmptySchema };
      if (method.methodKind === "unary") relayCall(router, method, masters, readMaxBytes);
      else if (method.methodKind === "server_streaming") relayStream(router, method, masters, readMaxBytes);
    }
  }
}

// The router infers messages from generated methods; of these, read at run time, it knows no more than their kind.

function relayCall(router: ConnectRouter, method: DescMethod, masters: MasterClients, readMaxBytes: number): void {
  const relay = (request: Message, context: HandlerContext): Promise<Message> =>
    new Promise((resolve, reject) => {
      const bytes = toBinary(method.input, request);
      const metadata = metadataFrom(context.requestHeader);
      const deadline = Date.now() + (context.timeoutMs() ?? callTimeoutMs);
      const send = (redirects: number): void => {
        const master = masters.current;
        const call = master.makeUnaryRequest(
          pathOf(method),
          asBuffer,
          same,
          bytes,
          metadata,
          { deadline },
          (error, answer) => {
            if (error !== null) {
              if (masters.failed(master, error) && redirects < redirectsMax) send(redirects + 1);
              else reject(toConnectError(error));
            } else if (answer === undefined) reject(new ConnectError("the master gave no answer", Code.Internal));
            else resolve(fromBinary(method.output, answer));
          },
        );
        cancelWith(context.signal, call);
      };
      send(0);
    });
  router.rpc(method as never, relay as never, { readMaxBytes });
}

function relayStream(router: ConnectRouter, method: DescMethod, masters: MasterClients, readMaxBytes: number): void {
  async function* relay(request: Message, context: HandlerContext): AsyncIterable<Message> {
    for (let redirects = 0; ; redirects++) {
      const master = masters.current;
      const call = master.makeServerStreamRequest(
        pathOf(method),
        asBuffer,
        same,
        toBinary(method.input, request),
        metadataFrom(context.requestHeader),
        deadlineOf(context),
      );
      cancelWith(context.signal, call);
      try {
        // Iterating pauses the call while the browser does not read, so that a slow reader is the master's to cut off.
        for await (const bytes of call) yield fromBinary(method.output, bytes as Buffer);
        return;
      } catch (error) {
        // Whoever stands by sends nothing before it says so.
        if (isServiceError(error) && masters.failed(master, error) && redirects < redirectsMax) continue;
        throw toConnectError(error);
      }
    }
  }
  router.rpc(method as never, relay as never, { readMaxBytes });
}

function cancelWith(signal: AbortSignal, call: { cancel(): void }): void {
  if (signal.aborted) call.cancel();
  else signal.addEventListener("abort", () => call.cancel(), { once: true });
}

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;
const same = (bytes: Buffer): Buffer => bytes;
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function deadlineOf(context: HandlerContext): { deadline?: number } {
  const timeoutMs = context.timeoutMs();
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** Only what callers say to the master: cookies and what browsers add stay here. */
function metadataFrom(header: Headers): Metadata {
  const metadata = new Metadata();
  header.forEach((value, key) => {
    if (key !== "authorization" && key !== "traceparent" && !key.startsWith("muster-")) return;
    metadata.set(key, key.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  });
  return metadata;
}

function toConnectError(error: unknown): ConnectError {
  if (!isServiceError(error)) return ConnectError.from(error);
  const details = error.metadata.get("grpc-status-details-bin")[0];
  if (Buffer.isBuffer(details)) {
    const found = findTrailerError(new Headers({ "grpc-status-details-bin": details.toString("base64") }));
    // Without its metadata: the details are written anew in the caller's own protocol.
    if (found !== undefined) {
      const told = new ConnectError(found.rawMessage, found.code);
      told.details = found.details;
      return told;
    }
  }
  return new ConnectError(error.details, error.code in Code ? (error.code as number as Code) : Code.Unknown);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
