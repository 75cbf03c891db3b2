import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatusMap } from "grpc-health-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Probing } from "./probing.test.support.ts";

const probing = Probing.use(beforeEach, afterEach);
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

function serve(statuses: ServingStatusMap, credentials = ServerCredentials.createInsecure()): Promise<number> {
  const server = new Server();
  new HealthImplementation(statuses).addToServer(server);
  probing.after(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port))),
  );
}

const grpc = { type: "grpc", ip: "127.0.0.1", service: "" } as const;

test("a grpc check passes on SERVING alone, for the server and for a service of it", async () => {
  const long = "s".repeat(200);
  const port = await serve({ "": "SERVING", up: "SERVING", [long]: "SERVING", down: "NOT_SERVING", unsure: "UNKNOWN" });
  const ask = (service: string) => probing.probe({ ...grpc, port, service });
  expect(await ask("")).toEqual({ passed: true, message: "SERVING" });
  expect(await ask("up")).toEqual({ passed: true, message: "SERVING" });
  expect((await ask(long)).passed).toBe(true);
  expect(await ask("down")).toEqual({ passed: false, message: "NOT_SERVING" });
  expect(await ask("unsure")).toEqual({ passed: false, message: "UNKNOWN" });
  expect(await ask("nobody")).toMatchObject({ passed: false, message: expect.stringContaining("gRPC status 5") });
});

test("a grpc check fails with a reason on servers without health, without gRPC and without anybody", async () => {
  const bare = new Server();
  probing.after(() => bare.forceShutdown());
  const port = await new Promise<number>((resolve) =>
    bare.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  );
  expect((await probing.probe({ ...grpc, port })).message).toContain("gRPC status 12");
  const http = await probing.listen(createHttpServer((_, response) => response.end("hello")));
  expect((await probing.probe({ ...grpc, port: http })).passed).toBe(false);
  expect((await probing.probe({ ...grpc, port: 1 })).message).toContain("ECONNREFUSED");
});

test.runIf(hasOpenssl)("an encrypted grpc check verifies the certificate unless it is told not to", async () => {
  const [key, cert] = ["key", "cert"].map((name) => `${probing.dataFolder}/${name}.pem`) as [string, string];
  const subject = ["-subj", "/CN=web.test", "-addext", "subjectAltName=DNS:web.test"];
  const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...made, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const pair = { private_key: readFileSync(key), cert_chain: readFileSync(cert) };
  const port = await serve({ "": "SERVING" }, ServerCredentials.createSsl(null, [pair]));
  const ask = (skipsVerify: boolean) =>
    probing.probe({ ...grpc, port, tls: { serverName: "web.test", skipsVerify } }).then(({ message }) => message);
  expect(await ask(true)).toBe("SERVING");
  expect(await ask(false)).toContain("self-signed certificate");
  expect((await probing.probe({ ...grpc, port })).passed).toBe(false);
});
