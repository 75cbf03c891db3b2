import { createSocket } from "node:dgram";
import { connect } from "node:net";
import {
  emptyMessage,
  type GrpcServer,
  type GrpcTransport,
  grpcTransport,
  type Outlet,
  seededRandom,
  serveGrpc,
  silentLog,
  systemClock,
} from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { type EventsResponse, TaskState, type WatchEvent } from "@muster/proto";
import packets from "dns-packet";
import { afterEach, expect, test } from "vitest";
import { createDiscovery, type Discovery } from "../discovery.ts";
import { serveHttp } from "../http/serve-http.ts";
import { framework, read, ScriptedMaster, task } from "../scripted-master.test.fixture.ts";
import { type DnsServer, serveDns } from "./serve-dns.ts";

const closers: ((done: () => void) => void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await new Promise<void>((done) => close(done));
});

function listen(discovery: Discovery, idleMs?: number): Promise<number> {
  return new Promise((listening, refused) => {
    const options = { address: "127.0.0.1", port: 0, log: silentLog, ...(idleMs ? { idleMs } : {}) };
    const server: DnsServer = serveDns(discovery, {
      ...options,
      listening: (result) => (result.ok ? listening(result.value.port) : refused(result.error)),
    });
    closers.push((done) => server.close(done));
  });
}

function scripted(...events: WatchEvent[]): Discovery {
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  master.snapshot([framework("services"), ...events]);
  return discovery;
}

function query(name: string, type: string, id = 1): Buffer {
  return packets.encode({ type: "query", id, questions: [{ type: type as packets.RecordType, name }] });
}

function askUdp(port: number, packet: Buffer): Promise<Buffer> {
  return new Promise((done) => {
    const socket = createSocket("udp4");
    socket.once("message", (answer) => {
      socket.close();
      done(answer);
    });
    socket.send(packet, port, "127.0.0.1");
  });
}

function framed(packet: Buffer): Buffer {
  return Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 255]), packet]);
}

test("case 45: a hundred questions on one TCP connection get a hundred answers", async () => {
  const port = await listen(scripted(task()));
  const ids = await new Promise<Set<number>>((done) => {
    const socket = connect(port, "127.0.0.1");
    const seen = new Set<number>();
    let pending = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const answer = read(pending.subarray(2, end));
        expect(answer.answers).toEqual(["10.0.0.1"]);
        seen.add(answer.packet.id ?? -1);
        pending = pending.subarray(end);
      }
      if (seen.size < 100) return;
      socket.destroy();
      done(seen);
    });
    const all = Buffer.concat(Array.from({ length: 100 }, (_, i) => framed(query("web.services.muster", "A", i))));
    // In pieces that fall anywhere, also inside lengths.
    for (let at = 0; at < all.length; at += 97) socket.write(all.subarray(at, at + 97));
  });
  expect(ids.size).toBe(100);
});

test("case 46: a TCP client that sends a byte now and then is cut off, others are served meanwhile", async () => {
  const port = await listen(scripted(task()), 300);
  const packet = framed(query("web.services.muster", "A"));
  const startMs = Date.now();
  await new Promise<void>((closed) => {
    const socket = connect(port, "127.0.0.1");
    let sent = 0;
    const drip = setInterval(() => socket.write(packet.subarray(sent, ++sent)), 50);
    socket.on("close", () => {
      clearInterval(drip);
      closed();
    });
    socket.on("error", () => {});
    askUdp(port, query("web.services.muster", "A")).then(
      (answer) => expect(read(answer).answers).toEqual(["10.0.0.1"]),
      () => {},
    );
  });
  expect(Date.now() - startMs).toBeLessThan(1_500);
});

test("a port that is taken is said, with what to do", async () => {
  const discovery = scripted();
  const port = await listen(discovery);
  const error = await new Promise<Error>((refused) => {
    const options = { address: "127.0.0.1", port, log: silentLog };
    serveDns(discovery, {
      ...options,
      listening: (result) => refused(result.ok ? new Error("listens") : result.error),
    });
  });
  expect(error.message).toBe(`DNS port 127.0.0.1:${port} is in use: choose another`);
});

/** A master's watch over real gRPC that says what it is told to say. */
async function watched(): Promise<{
  address: string;
  say(message: Partial<EventsResponse>): void;
  reader: Promise<void>;
}> {
  let outlet: Outlet<EventsResponse> | undefined;
  let arrived = (): void => {};
  const reader = new Promise<void>((done) => {
    arrived = done;
  });
  let server: GrpcServer | undefined;
  const address = await new Promise<string>((listening, refused) => {
    server = serveGrpc(
      {
        "Watch.Events": (_request, opened) => {
          outlet = opened;
          arrived();
          return { receive: () => {}, drained: () => {}, closed: () => {} };
        },
      },
      {
        address: "127.0.0.1:0",
        log: silentLog,
        listening: (result) => (result instanceof Error ? refused(result) : listening(result.address)),
      },
    );
  });
  closers.push((done) => (server ? server.close(done) : done()));
  const say = (message: Partial<EventsResponse>) =>
    outlet?.send({ ...emptyMessage("EventsResponse"), epoch: 1, clusterId: "c", ...message });
  return { address, say, reader };
}

test("each of 200 changes told over gRPC reaches the UDP answers, in their order", async () => {
  const master = await watched();
  const transport: GrpcTransport = grpcTransport();
  closers.push((done) => {
    transport.close();
    done();
  });
  const discovery = createDiscovery(
    { clock: systemClock, random: seededRandom(1), transport, log: silentLog },
    { masterAddress: master.address },
  );
  discovery.start();
  closers.push((done) => discovery.stop(done));
  const port = await listen(discovery);
  await master.reader;
  master.say({ snapshot: true, snapshotComplete: true, sequence: 1, events: [task()] });

  const socket = createSocket("udp4");
  closers.push((done) => socket.close(done));
  const packet = query("web.services.muster", "A");
  const askUntil = (wanted: string): Promise<string> =>
    new Promise((done) => {
      const listener = (answer: Buffer): void => {
        const { answers } = read(answer);
        if (!answers.includes(wanted)) {
          socket.send(packet, port, "127.0.0.1");
          return;
        }
        socket.off("message", listener);
        done(answers.join(" "));
      };
      socket.on("message", listener);
      socket.send(packet, port, "127.0.0.1");
    });
  const seen: string[] = [];
  for (let i = 0; i < 200; i++) {
    const ip = `10.1.0.${i}`;
    master.say({ sequence: i + 2, events: [task({ ip })] });
    seen.push(await askUntil(ip));
  }
  expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => `10.1.0.${i}`));
});

/** The HTTP API of a zone: a path gives a status and a body. */
async function serving(discovery: Discovery): Promise<(path: string) => Promise<{ status: number; body: unknown }>> {
  const server = await new Promise<{ port: number; close(done: () => void): void }>((listening, refused) => {
    const made = serveHttp(discovery, {
      address: "127.0.0.1",
      port: 0,
      version: "0.1.0",
      metrics: createMetrics("muster_dns_"),
      listening: (result) =>
        result.ok ? listening({ port: result.value.port, close: (done) => made.close(done) }) : refused(result.error),
    });
  });
  closers.push((done) => server.close(done));
  return async (path) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text };
  };
}

test("case 58: over HTTP names have the shapes of Mesos-DNS, and what is unknown is an empty list", async () => {
  const discovery = scripted(task(), task({ id: "gone.0", name: "gone", state: TaskState.TASK_FAILED }));
  const get = await serving(discovery);
  expect(await get("/v1/hosts/Web.services.muster.")).toEqual({
    status: 200,
    body: [{ host: "web.services.muster", ip: "10.0.0.1" }],
  });
  const services = await get("/v1/services/_http._web._tcp.services.muster");
  expect(services.body).toEqual([
    {
      service: "_http._web._tcp.services.muster",
      host: expect.stringMatching(/^web-\w{5}-1\.services\.muster$/),
      ip: "10.0.0.1",
      port: "20000",
    },
  ]);
  expect(await get("/v1/services/x")).toEqual({ status: 404, body: [] });
  expect(await get("/v1/prometheus/_http._web._tcp.services.muster")).toMatchObject({
    status: 200,
    body: [{ targets: ["10.0.0.1:20000"] }],
  });
  const all = (await get("/v1/enumerate")).body as { frameworks: { name: string; tasks: { id: string }[] }[] };
  expect(all.frameworks.map(({ name, tasks }) => [name, tasks.map(({ id }) => id)])).toEqual([["services", ["web.0"]]]);
  expect((await get("/ready")).status).toBe(200);
  expect((await get("/v1/version")).body).toMatchObject({ Service: "muster-dns", Version: "0.1.0" });
  await askAndCount(discovery);
  expect((await get("/metrics")).body).toContain('muster_dns_answers_total{code="NXDOMAIN"} 1');
  expect((await get("/v1/hosts/%E0%A4%A")).status).toBe(404);
});

test("case 59: Prometheus is told 200 and a whole list, also when there is no target", async () => {
  const get = await serving(scripted(task()));
  expect(await get("/v1/prometheus/_http._web._tcp.services.muster")).toMatchObject({
    status: 200,
    body: [{ targets: ["10.0.0.1:20000"] }],
  });
  for (const name of ["_x._tcp.services.muster", "_http._web._tcp.nobody.muster"])
    expect(await get(`/v1/prometheus/${name}`), name).toEqual({ status: 200, body: [] });
});

async function askAndCount(discovery: Discovery): Promise<void> {
  const port = await listen(discovery);
  await askUdp(port, query("nobody.muster", "A"));
}
