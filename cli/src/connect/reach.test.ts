import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { failureAt, reach } from "./reach.ts";

const servers: { close(): void }[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server | ReturnType<typeof createHttp2Server>): Promise<string> {
  servers.push(server);
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const silent = (): Promise<string> => listening(createServer(() => {}));
const answering = (): Promise<string> => listening(createHttp2Server());
async function nobody(): Promise<string> {
  const address = await silent();
  await new Promise<void>((done) => void (servers.pop() as Server).close(() => done()));
  return address;
}

test("of several masters the first that answers is meant, not one that hangs or is not there", async () => {
  const [first, second] = [await answering(), await answering()];
  expect(await reach([await nobody(), await silent(), first, second])).toBe(first);
});

test("one that hangs is meant where no other answers, and waited for", async () => {
  const hanging = await silent();
  expect(await reach([hanging])).toBe(hanging);
  expect(await reach([await nobody(), hanging])).toBe(hanging);
});

test("that nobody is there is said with the reason", async () => {
  await expect(reach([await nobody()])).rejects.toThrow("connection refused");
  expect(await failureAt(await silent())).toBe("no answer");
  expect(await failureAt(await answering())).toBeUndefined();
});
