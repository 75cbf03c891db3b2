import { createSocket } from "node:dgram";
import { createServer, isIPv6 } from "node:net";
import type { HostPorts, PortHolder, PortQuestion } from "../world/host-ports.ts";
import { findHostNetworks, type HostNetworkRule, hostAddresses } from "./host-networks.ts";
import { ownerOf, readSockets } from "./proc-net.ts";
import { findGroupListeners, TaskListeners } from "./task-listeners.ts";

/** Asks the kernel by binding each port on all addresses, and names the holder by /proc. */
export function nodeHostPorts(rules: readonly HostNetworkRule[] = []): HostPorts {
  const listeners = new TaskListeners();
  return {
    check: (questions, done) => {
      Promise.all(questions.map(findHolder)).then(
        (answers) => done(answers.filter((answer) => answer !== undefined)),
        () => done([]),
      );
    },
    scan: (done) => {
      readSockets().then(
        (sockets) => done([...new Set(sockets.map(({ port }) => port))].sort((a, b) => a - b)),
        () => done([]),
      );
    },
    networks: (done) => {
      setImmediate(() => done(rules.length === 0 ? [] : findHostNetworks(rules, hostAddresses()).networks));
    },
    listeners: (tasks, done) => {
      listeners.find(tasks).then(done, () => done([]));
    },
    groupListeners: (tasks, done) => {
      findGroupListeners(tasks).then(done, () => done([]));
    },
  };
}

async function findHolder({ port, protocol, ip }: PortQuestion): Promise<PortHolder | undefined> {
  const protocols = protocol === "" ? (["tcp", "udp"] as const) : ([protocol === "udp" ? "udp" : "tcp"] as const);
  for (const one of protocols) {
    const refusal = one === "tcp" ? await tryTcp(port, ip) : await tryUdp(port, ip);
    if (refusal === undefined) continue;
    const socket = (await readSockets()).find((each) => each.port === port && each.protocol === one);
    return { port, holder: (socket && ownerOf(socket.inode)) ?? refusal };
  }
  return undefined;
}

/** Undefined if the port can be had. A host without IPv6 is asked about IPv4 alone. */
async function tryTcp(port: number, ip: string): Promise<string | undefined> {
  if (ip !== "") return refusalOf(await listenError(port, ip), ip);
  const error = await listenError(port, "::");
  return refusalOf(isWithoutIpv6(error) ? await listenError(port, "0.0.0.0") : error);
}

async function tryUdp(port: number, ip: string): Promise<string | undefined> {
  if (ip !== "") return refusalOf(await bindError(port, isIPv6(ip) ? "udp6" : "udp4", ip), ip);
  const error = await bindError(port, "udp6");
  return refusalOf(isWithoutIpv6(error) ? await bindError(port, "udp4") : error);
}

function listenError(port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function bindError(port: number, type: "udp4" | "udp6", address?: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type });
    socket.once("error", (error) => {
      socket.close();
      resolve(error);
    });
    socket.bind({ port, exclusive: true, ...(address === undefined ? {} : { address }) }, () =>
      socket.close(() => resolve(undefined)),
    );
  });
}

function isWithoutIpv6(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.code === "EAFNOSUPPORT" || error?.code === "EADDRNOTAVAIL";
}

function refusalOf(error: NodeJS.ErrnoException | undefined, ip = ""): string | undefined {
  if (!error) return undefined;
  if (error.code === "EADDRNOTAVAIL" && ip !== "") return `nobody: the host has no address ${ip} any more`;
  if (error.code === "EADDRINUSE") return "a process that this agent may not look into";
  if (error.code === "EACCES") return "the kernel: ports below 1024 are for root";
  return undefined;
}
