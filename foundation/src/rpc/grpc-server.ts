import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { methods } from "@muster/proto";
import { MusterError } from "../errors/muster-error.ts";
import type { Log } from "../logging/log.ts";
import { type CredentialsProvider, loopbackCredentials } from "./credentials.ts";
import { messageBytesMax } from "./grpc-transport.ts";
import type { MethodName } from "./method.ts";
import { registrarInto, type Serve, type ServiceRegistrar } from "./server/generic-services.ts";
import { listenOn } from "./server/listening.ts";
import { serveMethod } from "./server/serve-method.ts";
import { ServerCall } from "./server/server-call.ts";
import { ServerSessions } from "./server/sessions.ts";
import type { Handlers } from "./transport.ts";

/** Streams that one connection may have open. */
const streamsPerConnectionMax = 1_024;
/** Where the methods of the contract are. */
const ownPaths = "/muster.";
/** What Node's HTTP/2 may keep for one connection, in millions of bytes; its own limit is meant for few streams. */
const connectionMemoryMB = 64;

export interface GrpcServerOptions {
  /** Host and port, port 0 takes a free one; or "unix:" and a path. */
  address: string;
  credentials?: CredentialsProvider;
  log: Log;
  /** More services, such as health and reflection: asked for when somebody calls what the contract does not have. */
  extend?: (registrar: ServiceRegistrar) => Promise<void>;
  /** Called once with the address in use, or with why it is not. */
  listening: (result: { address: string; port: number } | MusterError) => void;
}

export interface GrpcServer {
  /** Ends every stream, then calls back. */
  close(done: () => void): void;
}

/**
 * Serves a table of handlers over gRPC. Methods of the contract that it lacks answer UNIMPLEMENTED.
 *
 * It speaks gRPC over Node's HTTP/2 itself, where grpc-js makes a stream of objects, promises and closures of each call
 * and two copies of each message: a call costs half of that, a message a third.
 */
export function serveGrpc(handlers: Handlers, options: GrpcServerOptions): GrpcServer {
  const served = new Map<string, Serve>();
  for (const name of Object.keys(handlers) as MethodName[])
    if (handlers[name] !== undefined) served.set(methods[name].path, serveMethod(name, handlers, options.log));
  const sessions = new ServerSessions();
  let extended: Promise<void> | undefined;
  const onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    if (!headers["content-type"]?.startsWith("application/grpc")) {
      stream.respond({ ":status": 415 }, { endStream: true });
      return;
    }
    const call = new ServerCall(stream, headers, sessions.peerOf(stream.session as never), messageBytesMax);
    const path = headers[":path"] ?? "";
    const find = (): Serve => served.get(path) ?? ((one) => refuse(one, path));
    if (served.has(path) || options.extend === undefined || path.startsWith(ownPaths)) {
      find()(call);
      return;
    }
    extended ??= options.extend(registrarInto(served));
    extended.then(
      () => find()(call),
      (error: unknown) => {
        options.log.error({ error, method: path }, "services of other makers can't be loaded");
        refuse(call, path);
      },
    );
  };
  const servers: (Http2Server | Http2SecureServer)[] = [];
  const secure = (options.credentials ?? loopbackCredentials).server();
  const make = (): Http2Server | Http2SecureServer => {
    const limits = {
      maxSessionMemory: connectionMemoryMB,
      settings: { maxConcurrentStreams: streamsPerConnectionMax },
    };
    const server = secure === undefined ? createServer(limits) : createSecureServer({ ...secure, ...limits });
    server.on("session", (session) => sessions.add(session));
    server.on("stream", onStream);
    servers.push(server);
    return server;
  };
  listenOn(options.address, make, (port) => {
    if (port instanceof MusterError) options.listening(port);
    else options.listening({ address: withPort(options.address, port), port });
  });
  return {
    close: (done) => {
      for (const server of servers) server.close();
      sessions.destroy();
      done();
    },
  };
}

function withPort(address: string, port: number): string {
  return address.startsWith("unix:") ? address : `${address.slice(0, address.lastIndexOf(":"))}:${port}`;
}

function refuse(call: ServerCall, path: string): void {
  call.end(new MusterError("unsupported", `this server does not have ${path}`));
}
