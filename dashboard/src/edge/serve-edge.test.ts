import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { codecOf, emptyMessage, MusterError, silentLog, toGrpcStatus } from "@muster/foundation";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Edge, serveEdge } from "./serve-edge.ts";

const master = codecOf("GetMasterResponse");
const events = codecOf("EventsResponse");
const bytes = { serialize: (data: Buffer) => data, deserialize: (data: Buffer) => data };
const method = (path: string, responseStream: boolean) => ({
  path,
  requestStream: false,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
});

let folder: string;
let server: Server;
let discovery: ReturnType<typeof createServer>;
let edge: Edge;
let base: string;
let masterAddress: string;
let seen: { metadata: Metadata; deadlineMs: number } | undefined;
let refusal: MusterError | undefined;
let cancelled: Promise<void>;

beforeEach(async () => {
  seen = undefined;
  refusal = undefined;
  folder = mkdtempSync(join(tmpdir(), "muster-edge-"));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><p>page</p>");
  writeFileSync(join(folder, "assets", "app-1a2b.js"), "export {};");
  writeFileSync(join(folder, "secret.pem"), "not to be served");

  server = new Server();
  cancelled = new Promise((done) => {
    server.addService(
      {
        GetMaster: method("/muster.v1.Operator/GetMaster", false),
        Events: method("/muster.v1.Watch/Events", true),
      },
      {
        GetMaster: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
          seen = { metadata: call.metadata, deadlineMs: Number(call.getDeadline()) - Date.now() };
          if (refusal) answer(toGrpcStatus(refusal));
          else answer(null, master.encode({ ...emptyMessage("GetMasterResponse"), clusterId: "c", epoch: 7 }));
        },
        Events: (call: ServerWritableStream<Buffer, Buffer>) => {
          call.on("cancelled", () => done());
          call.write(events.encode({ ...emptyMessage("EventsResponse"), epoch: 7 }));
        },
      },
    );
  });
  masterAddress = await bound(server);
  discovery = createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/json", "set-cookie": "stays=here" });
    response.end(JSON.stringify({ path: request.url, cookie: request.headers.cookie ?? "" }));
  });
  await new Promise<void>((done) => discovery.listen(0, "127.0.0.1", done));
  base = await new Promise((resolve) => {
    edge = serveEdge({
      masterAddress,
      listen: { port: 0 },
      dnsHttpAddress: `127.0.0.1:${(discovery.address() as AddressInfo).port}`,
      bundleFolder: folder,
      log: silentLog,
      onListening: (address) => resolve(`http://${address}`),
    });
  });
});

const bound = (of: Server): Promise<string> =>
  new Promise((resolve, reject) =>
    of.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(`127.0.0.1:${at}`),
    ),
  );

afterEach(async () => {
  await new Promise<void>((done) => edge.close(done));
  server.forceShutdown();
  discovery.close();
  rmSync(folder, { recursive: true });
});

const call = (path: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> =>
  fetch(`${base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: "{}",
    ...(signal === undefined ? {} : { signal }),
  });

test("deadline and metadata go along, cookies do not", async () => {
  const headers = { "connect-timeout-ms": "5000", authorization: "Bearer x", "muster-role": "ops", cookie: "a=b" };
  const answer = await call("/muster.v1.Operator/GetMaster", headers);
  expect(await answer.json()).toEqual({ clusterId: "c", epoch: "7" });
  expect(seen?.metadata.get("authorization")).toEqual(["Bearer x"]);
  expect(seen?.metadata.get("muster-role")).toEqual(["ops"]);
  expect(seen?.metadata.get("cookie")).toEqual([]);
  expect(seen?.deadlineMs).toBeGreaterThan(3_000);
  expect(seen?.deadlineMs).toBeLessThanOrEqual(5_000);
});

test("a call without a deadline is given one", async () => {
  await call("/muster.v1.Operator/GetMaster");
  expect(seen?.deadlineMs).toBeGreaterThan(20_000);
  expect(seen?.deadlineMs).toBeLessThanOrEqual(30_000);
});

test("the master's refusal arrives with its code, its text and its details", async () => {
  refusal = new MusterError("over-quota", "role web is at its limit", { retryAfterMs: 1_500 });
  const answer = await call("/muster.v1.Operator/GetMaster");
  const body = (await answer.json()) as { code: string; message: string; details: { type: string }[] };
  expect(body).toMatchObject({ code: "resource_exhausted", message: "role web is at its limit" });
  expect(body.details.map(({ type }) => type)).toEqual(["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]);
});

test("leaving a stream cancels it at the master", async () => {
  const leaving = new AbortController();
  const envelope = new Uint8Array(5);
  const answer = await fetch(`${base}/muster.v1.Watch/Events`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto" },
    body: envelope,
    signal: leaving.signal,
  });
  const first = await answer.body?.getReader().read();
  // A message in binary passes unread: it is the master's own bytes behind five of framing.
  expect(Buffer.from(first?.value ?? []).subarray(5)).toEqual(
    events.encode({ ...emptyMessage("EventsResponse"), epoch: 7 }),
  );
  leaving.abort();
  await cancelled;
});

test("methods whose requests stream are not relayed", async () => {
  expect((await call("/muster.v1.Tasks/Exec")).status).toBe(405);
  expect((await call("/muster.v1.Scheduling/Subscribe")).status).toBe(405);
});

test("only the page's own files are served, as what they are", async () => {
  const page = await fetch(`${base}/`);
  expect([page.headers.get("content-type"), page.headers.get("cache-control")]).toEqual([
    "text/html; charset=utf-8",
    "no-cache",
  ]);
  const script = await fetch(`${base}/assets/app-1a2b.js`);
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(script.headers.get("cache-control")).toContain("immutable");
  for (const path of ["/secret.pem", "/assets/..%2fsecret.pem", "/%2e%2e/%2e%2e/etc/passwd", "/assets"]) {
    expect((await fetch(`${base}${path}`)).status, path).toBe(404);
  }
});

test("/v1 is handed on to discovery, without cookies either way", async () => {
  const answer = await fetch(`${base}/v1/services/_web._tcp?x=1`, { headers: { cookie: "a=b" } });
  expect(await answer.json()).toEqual({ path: "/v1/services/_web._tcp?x=1", cookie: "" });
  expect(answer.headers.get("set-cookie")).toBeNull();
  expect((await call("/v1/services")).status).toBe(405);
});

test("/healthz says how the master stands", async () => {
  await call("/muster.v1.Operator/GetMaster");
  expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: "ok", master: "ready" });
});

test("calls and streams that a standby sends away go to the leader, of whom the browser learns nothing", async () => {
  const standby = new Server();
  let count = 0;
  const away = () => {
    count++;
    return toGrpcStatus(new MusterError("not-leader", "stands by", { leader: masterAddress }));
  };
  standby.addService(
    { GetMaster: method("/muster.v1.Operator/GetMaster", false), Events: method("/muster.v1.Watch/Events", true) },
    {
      GetMaster: (_call: unknown, answer: sendUnaryData<Buffer>) => answer(away()),
      Events: (stream: ServerWritableStream<Buffer, Buffer>) => void stream.emit("error", away()),
    },
  );
  const address = await bound(standby);
  const serveFrom = (): Promise<[Edge, string]> =>
    new Promise((resolve) => {
      const made: Edge = serveEdge({
        masterAddress: address,
        listen: { port: 0 },
        dnsHttpAddress: "127.0.0.1:9",
        bundleFolder: folder,
        log: silentLog,
        onListening: (at) => setImmediate(() => resolve([made, `http://${at}`])),
      });
    });
  const ask = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  const [first, firstBase] = await serveFrom();
  const [second, secondBase] = await serveFrom();
  try {
    for (let time = 1; time <= 2; time++) {
      const answer = await fetch(`${firstBase}/muster.v1.Operator/GetMaster`, ask);
      expect(await answer.json()).toEqual({ clusterId: "c", epoch: "7" });
    }
    expect(count).toBe(1);
    const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
    const leaving = new AbortController();
    const stream = await fetch(`${secondBase}/muster.v1.Watch/Events`, {
      ...{ method: "POST", headers, body: new Uint8Array(5), signal: leaving.signal },
    });
    const chunk = await stream.body?.getReader().read();
    expect(events.decode(Buffer.from(chunk?.value ?? []).subarray(5))).toMatchObject({ epoch: 7 });
    leaving.abort();
    expect(count).toBe(2);
  } finally {
    for (const made of [first, second]) await new Promise<void>((done) => made.close(done));
    standby.forceShutdown();
  }
});
