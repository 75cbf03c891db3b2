import { afterEach, expect, test } from "vitest";
import { MusterError, type Result } from "../errors/muster-error.ts";
import { silentLog } from "../logging/log.ts";
import { codecOf, emptyMessage } from "./codec.ts";
import { type GrpcServer, serveGrpc } from "./grpc-server.ts";
import { type GrpcTransport, grpcTransport } from "./grpc-transport.ts";
import type { Handlers, Outlet } from "./transport.ts";

let server: GrpcServer | undefined;
let transport: GrpcTransport | undefined;
afterEach(async () => {
  transport?.close();
  await new Promise<void>((done) => (server ? server.close(done) : done()));
});

function serve(handlers: Handlers): Promise<string> {
  transport = grpcTransport();
  return new Promise((listening, refused) => {
    server = serveGrpc(handlers, {
      address: "127.0.0.1:0",
      log: silentLog,
      listening: (result) => (result instanceof MusterError ? refused(result) : listening(result.address)),
    });
  });
}

test("a refused call arrives with its kind, field and retry time", async () => {
  const address = await serve({
    "State.Get": (_request, _peer, respond) => {
      const error = new MusterError("over-quota", "key: too much", { field: "key", retryAfterMs: 1_500 });
      respond({ ok: false, error });
      return undefined;
    },
  });
  const result = await new Promise((done) =>
    transport?.call("State.Get", address, { framework: "f", key: "k" }, 2_000, done),
  );
  expect(result).toMatchObject({
    ok: false,
    error: { kind: "over-quota", message: "key: too much", field: "key", retryAfterMs: 1_500 },
  });
});

test("an unexpected exception tells the caller an id and nothing else", async () => {
  const address = await serve({
    "State.Get": () => {
      throw new Error("secret path /etc/shadow");
    },
  });
  const result = await new Promise<{ ok: boolean; error?: MusterError }>((done) =>
    transport?.call("State.Get", address, { framework: "f", key: "k" }, 2_000, done),
  );
  expect(result.error?.kind).toBe("internal");
  expect(result.error?.message).toMatch(/^internal error, id \w+$/);
});

test("a method that is not served is unsupported, a server that is not there unavailable", async () => {
  const address = await serve({});
  const ask = (where: string): Promise<Result<unknown>> =>
    new Promise((done) => transport?.call("State.Get", where, { framework: "f", key: "k" }, 2_000, done));
  expect(await ask(address)).toMatchObject({ ok: false, error: { kind: "unsupported" } });
  expect(await ask("127.0.0.1:1")).toMatchObject({ ok: false, error: { kind: "unavailable" } });
});

test("messages of a stream arrive in order, whole, and an error ends it with its kind", async () => {
  const address = await serve({
    "Scheduling.Subscribe": (outlet) => ({
      receive: (message) => {
        for (const kill of message.kills)
          outlet.send({
            ...emptyMessage("SubscribeResponse"),
            rescinds: [{ offerId: kill.taskId, reason: `${kill.graceMs}` }],
          });
        if (message.teardown) outlet.end(new MusterError("wrong-state", "over"));
      },
      drained: () => {},
      closed: () => {},
    }),
  });
  const seen: string[] = [];
  const error = await new Promise<MusterError | undefined>((closed) => {
    const outlet = transport?.open("Scheduling.Subscribe", address, {
      receive: (message) => seen.push(`${message.rescinds[0]?.offerId} ${message.rescinds[0]?.reason}`),
      drained: () => {},
      closed,
    }) as Outlet<ReturnType<typeof emptyMessage<"SubscribeRequest">>>;
    const kills = [
      { taskId: "a", agentId: "", graceMs: 0 },
      { taskId: "b", agentId: "" },
    ];
    outlet.send({ ...emptyMessage("SubscribeRequest"), kills });
    outlet.send({ ...emptyMessage("SubscribeRequest"), teardown: {} });
  });
  expect(seen).toEqual(["a 0", "b undefined"]);
  expect(error?.kind).toBe("wrong-state");
});

test("a handler learns that its caller has left", async () => {
  let came = (): void => {};
  let left = (): void => {};
  const called = new Promise<void>((done) => {
    came = done;
  });
  const gone = new Promise<void>((done) => {
    left = done;
  });
  const address = await serve({
    "Operator.GetMaster": () => {
      came();
      return () => left();
    },
  });
  const cancel = transport?.call("Operator.GetMaster", address, {}, 20_000, () => {});
  await called;
  cancel?.();
  await gone;
});

test("both codecs yield plain numbers for 64-bit fields, and undefined for absent optional ones", () => {
  const codec = codecOf("TaskStatus");
  const status = codec.decode(codec.encode({ ...emptyMessage("TaskStatus"), taskId: "t", at: 1_795_485_999_123 }));
  expect(status.at).toBe(1_795_485_999_123);
  expect(status.exitCode).toBeUndefined();
  expect(status.container).toBeNull();
  expect(codec.decode(codec.encode({ ...emptyMessage("TaskStatus"), exitCode: 0 })).exitCode).toBe(0);
  expect(codecOf("TaskInfo").decode(Buffer.alloc(0)).spec).toHaveLength(0);
});
