import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { MusterError } from "../../errors/muster-error.ts";
import { silentLog } from "../../logging/log.ts";
import { codecOf, emptyMessage } from "../codec.ts";
import { type GrpcServer, serveGrpc } from "../grpc-server.ts";
import { messageBytesMax } from "../grpc-transport.ts";
import type { Handlers, Outlet } from "../transport.ts";
import { messageHeadBytes } from "./message-reader.ts";
import { waitingBytesMax } from "./server-call.ts";

// What a client of our own never says is said here by frames of its own.
let server: GrpcServer | undefined;
let session: ClientHttp2Session | undefined;
afterEach(async () => {
  session?.destroy();
  await new Promise<void>((done) => (server ? server.close(done) : done()));
});

async function serve(handlers: Handlers): Promise<void> {
  const address = await new Promise<string>((listening, failed) => {
    server = serveGrpc(handlers, {
      address: "localhost:0",
      log: silentLog,
      listening: (result) => (result instanceof MusterError ? failed(result) : listening(result.address)),
    });
  });
  session = connect(`http://${address}`);
}

const state = "/muster.v1.State/Get";

function open(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = (session as ClientHttp2Session).request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

/** What a call ends with: trailers, or headers if there was no message. */
function ending(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  stream.resume();
  return new Promise((done) => {
    stream.on("response", (headers) => headers["grpc-status"] !== undefined && done(headers));
    stream.on("trailers", done);
  });
}

function framed(bytes: Buffer, flag = 0): Buffer {
  const head = Buffer.alloc(messageHeadBytes, flag);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

const request = codecOf("StateGetRequest").encode({ framework: "f", key: "k" });
const answering: Handlers = {
  "State.Get": ({ framework, key }, _peer, respond) => {
    respond({ ok: false, error: new MusterError("not-found", `${framework}/${key}: 50 % ü \ud800`) });
    return undefined;
  },
};

async function endOf(bytes: Buffer, headers: Record<string, string> = {}): Promise<IncomingHttpHeaders> {
  const stream = open(state, headers);
  const end = ending(stream);
  stream.end(bytes);
  return end;
}

test("a text of any characters arrives as gRPC has it in headers", async () => {
  await serve(answering);
  const { "grpc-status": code, "grpc-message": message } = await endOf(framed(request));
  expect([code, decodeURI(String(message))]).toEqual(["5", "f/k: 50 % ü "]);
});

test("a compressed message is read, and one that can't be is refused", async () => {
  await serve(answering);
  const gzip = { "grpc-encoding": "gzip" };
  expect((await endOf(framed(gzipSync(request), 1), gzip))["grpc-status"]).toBe("5");
  expect((await endOf(framed(Buffer.from("no gzip"), 1), gzip))["grpc-status"]).toBe("3");
  expect((await endOf(framed(request, 1), { "grpc-encoding": "br" }))["grpc-status"]).toBe("12");
  const bomb = gzipSync(Buffer.alloc(messageBytesMax + 1));
  expect((await endOf(framed(bomb, 1), gzip))["grpc-status"]).toBe("8");
});

test("bytes that are no message, a message too long and a call without one are refused", async () => {
  await serve(answering);
  expect((await endOf(framed(Buffer.from([0x0a, 200]))))["grpc-status"]).toBe("3");
  expect((await endOf(Buffer.alloc(0)))["grpc-status"]).toBe("3");
  const head = Buffer.alloc(messageHeadBytes);
  head.writeUInt32BE(messageBytesMax + 1, 1);
  expect((await endOf(head))["grpc-status"]).toBe("8");
});

test("what is no gRPC, and a method that there is not, are refused", async () => {
  await serve(answering);
  const page = open(state, { "content-type": "text/html" });
  const status = await new Promise((done) => page.on("response", (headers) => done(headers[":status"])));
  expect(status).toBe(415);
  const other = open("/muster.v1.State/None");
  expect((await ending(other))["grpc-status"]).toBe("12");
});

test("a call ends when the time of its caller is over, and its handler is told", async () => {
  let left = (): void => {};
  const isTold = new Promise<void>((done) => {
    left = done;
  });
  await serve({ "State.Get": () => left });
  expect((await endOf(framed(request), { "grpc-timeout": "20m" }))["grpc-status"]).toBe("4");
  await isTold;
});

test("a caller that does not read is behind until it does", async () => {
  let outlet: Outlet<ReturnType<typeof emptyMessage<"SubscribeResponse">>> | undefined;
  let drained = (): void => {};
  await serve({
    "Scheduling.Subscribe": (opened) => {
      outlet = opened;
      return { receive: () => {}, drained: () => drained(), closed: () => {} };
    },
  });
  const stream = open("/muster.v1.Scheduling/Subscribe");
  await expect.poll(() => outlet?.ready(), { timeout: 10_000 }).toBe(true);
  const message = { ...emptyMessage("SubscribeResponse"), rescinds: [{ offerId: "o", reason: "x".repeat(50_000) }] };
  let sentBytes = 0;
  for (; outlet?.ready() && sentBytes < 100 * waitingBytesMax; sentBytes += 50_000) outlet.send(message);
  expect(sentBytes).toBeLessThan(3 * waitingBytesMax);
  const isDrained = new Promise<void>((done) => {
    drained = done;
  });
  stream.resume();
  await isDrained;
  expect(outlet?.ready()).toBe(true);
});
