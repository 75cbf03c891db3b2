import type { AssignedPort } from "@muster/proto";
import { expect, test } from "vitest";
import type { NetSpec } from "../../world/nets.ts";
import { parseNetworkList } from "./network-list.ts";
import { pluginEnvironment, pluginInput, pluginsFor } from "./plugin-input.ts";

const port: AssignedPort = { label: "http", number: 20_000, to: 80, protocol: "tcp", ip: "10.1.1.1" };
const settings = { hostname: "web;X=1", dnsServers: [], dnsSearches: [], dnsOptions: [] };
const spec: NetSpec = { key: "k1", mode: "cni/web", addressIndex: 0, ports: [port], settings };
const portmap = { type: "portmap", snat: true, capabilities: { portMappings: true } };
const list = parseNetworkList(
  JSON.stringify({ name: "web", cniVersion: "1.0.0", plugins: [{ type: "ptp" }, portmap] }),
  "file",
);
const input = (index: number, prevResult?: object) =>
  JSON.parse(pluginInput(list, list.plugins[index] as never, spec, prevResult as never));

test("only a plugin that has declared it is told of ports, and none sees the declaration", () => {
  expect(input(0)).toEqual({ type: "ptp", name: "web", cniVersion: "1.0.0" });
  expect(input(1, { ips: [] })).toEqual({
    type: "portmap",
    snat: true,
    name: "web",
    cniVersion: "1.0.0",
    runtimeConfig: { portMappings: [{ hostPort: 20_000, containerPort: 80, protocol: "tcp" }] },
    prevResult: { ips: [] },
  });
});

test("portmap is left out where there is nothing to map", () => {
  expect(pluginsFor(list, spec).map(({ type }) => type)).toEqual(["ptp", "portmap"]);
  expect(pluginsFor(list, { ...spec, ports: [] }).map(({ type }) => type)).toEqual(["ptp"]);
});

test("the environment names the attachment; what a job says can't add an argument", () => {
  const attachment = { containerId: "c", namespacePath: "/run/netns/c", spec };
  expect(pluginEnvironment("ADD", ["/a", "/b"], attachment)).toEqual({
    CNI_COMMAND: "ADD",
    CNI_PATH: "/a:/b",
    CNI_CONTAINERID: "c",
    CNI_NETNS: "/run/netns/c",
    CNI_IFNAME: "eth0",
    CNI_ARGS: "IgnoreUnknown=1;MUSTER_GROUP=k1;MUSTER_HOSTNAME=web-X-1",
  });
});
