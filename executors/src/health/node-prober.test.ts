import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { expect, test } from "vitest";
import type { ProbeResult, ProbeTarget } from "../world/prober.ts";
import { nodeProber } from "./node-prober.ts";

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
  );
}

function probe(target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => nodeProber.probe(target, timeoutMs, resolve));
}

const http = { type: "http", ip: "127.0.0.1", scheme: "http", method: "GET", headers: {} } as const;

test("an http check passes from 200 to 399 and says what was answered", async () => {
  const server = createHttpServer((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end();
  });
  const port = await listen(server);
  const answers = await Promise.all(
    ["/200", "/302", "/404", "/500"].map((path) => probe({ ...http, port, path }, 2_000)),
  );
  expect(answers.map(({ passed }) => passed)).toEqual([true, true, false, false]);
  expect(answers[3]?.message).toBe("HTTP 500");
  server.close();
});

test("case 81: a check that hangs has failed at its timeout, and its connection is gone", async () => {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.resume();
    socket.on("close", () => open--);
    socket.on("error", () => {});
  });
  const port = await listen(server);
  const answer = await probe({ ...http, port, path: "/" }, 100);
  expect(answer).toEqual({ passed: false, message: "no answer within 100 ms" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(open).toBe(0);
  server.close();
});

test("case 80: a tcp check passes on a server bound to loopback, and fails when it stops", async () => {
  const server = createServer();
  const port = await listen(server);
  const target = { type: "tcp", ip: "127.0.0.1", port } as const;
  expect((await probe(target, 1_000)).passed).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  expect((await probe(target, 1_000)).passed).toBe(false);
});
