import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { findPortOwner } from "./port-owner.ts";

test("the owner of a port that listens is found; once it is closed there is none", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(findPortOwner(port, false)).toMatchObject({ owner: { pid: process.pid } });
  server.close();
  await once(server, "close");
  expect(findPortOwner(port, false)).toBeUndefined();
});

test("the owner of a UDP port is found", async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  expect(findPortOwner(socket.address().port, true)).toMatchObject({ owner: { pid: process.pid } });
  socket.close();
});
