import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Probing, until } from "./probing.test.support.ts";

const probing = Probing.use(beforeEach, afterEach);

const http = { type: "http", ip: "127.0.0.1", method: "GET", headers: {}, body: "" } as const;

test("an http check passes from 200 to 399 and says what was answered", async () => {
  const server = createHttpServer((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end();
  });
  const port = await probing.listen(server);
  const answers = await Promise.all(
    ["/200", "/302", "/404", "/500"].map((path) => probing.probe({ ...http, port, path })),
  );
  expect(answers.map(({ passed }) => passed)).toEqual([true, true, false, false]);
  expect(answers[3]?.message).toBe("HTTP 500");
});

test("an http check sends its method, headers and body", async () => {
  const seen: unknown[] = [];
  const server = createHttpServer((request, response) => {
    let body = "";
    request.on("data", (bytes) => {
      body += bytes;
    });
    request.on("end", () => {
      seen.push([request.method, request.url, request.headers["x-probe"], request.headers["content-length"], body]);
      response.end();
    });
  });
  const port = await probing.listen(server);
  const target = { ...http, port, path: "/a?b=c", method: "PUT", headers: { "X-Probe": "1" }, body: "grüße" };
  expect((await probing.probe(target)).passed).toBe(true);
  expect(seen).toEqual([["PUT", "/a?b=c", "1", "7", "grüße"]]);
});

test("case 81: a check that hangs has failed at its timeout, and its connection is gone", async () => {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.resume();
    socket.on("close", () => open--);
    socket.on("error", () => {});
  });
  const port = await probing.listen(server);
  for (const target of [{ ...http, port, path: "/" }, { type: "grpc", ip: "127.0.0.1", port, service: "" } as const]) {
    const answer = await probing.probe(target, 100);
    expect(answer).toEqual({ passed: false, message: "no answer within 100 ms" });
  }
  await until(() => open === 0, "connections closed");
});

test("case 80: a tcp check passes on a server bound to loopback, and fails when it stops", async () => {
  const server = createServer();
  // Not the address that everybody uses: a stranger may take the port as soon as it is free.
  const ip = `127.77.${process.pid & 255}.80`;
  const port = await new Promise<number>((resolve) =>
    server.listen(0, ip, () => resolve((server.address() as { port: number }).port)),
  );
  const target = { type: "tcp", ip, port } as const;
  expect((await probing.probe(target, 1_000)).passed).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  expect((await probing.probe(target, 1_000)).message).toContain("ECONNREFUSED");
});

test("a cancelled check answers nothing and leaves no connection", async () => {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.on("close", () => open--).on("error", () => {});
    socket.resume();
  });
  const port = await probing.listen(server);
  const answers: unknown[] = [];
  const cancel = probing.prober.probe({ ...http, port, path: "/" }, 5_000, (result) => answers.push(result));
  await until(() => open === 1, "connection open");
  cancel();
  await until(() => open === 0, "connection closed");
  expect(answers).toEqual([]);
});

test("checks that the host can reach start no helper process", async () => {
  const port = await probing.listen(createServer((socket) => socket.end()));
  await probing.probe({ type: "tcp", ip: "127.0.0.1", port });
  expect(probing.prober.helperPid).toBe(undefined);
});
