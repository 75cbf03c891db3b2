import { expect, test } from "vitest";
import { knownTask } from "../picture/known-task.ts";
import { aTask, type TaskShape } from "../scripted-master.test.fixture.ts";
import type { DnsRecord } from "./record.ts";

function recordsOf(shape: TaskShape): string[] {
  const known = knownTask(aTask(shape), "muster");
  const records = (known?.names ?? []).flatMap((name) => [...name.shared, ...name.own]);
  return [...new Set(records.map(text))].sort();
}

function text(record: DnsRecord): string {
  if (record.type === "address") return `${record.name} ${record.ip}`;
  if (record.type === "srv") return `${record.name} ${record.port} ${record.target}`;
  return `${record.name} ${record.text}`;
}

const marathon = {
  id: "web.1",
  name: "Web_API.shop",
  framework: "Marathon.prod",
  agent: "20150827-S12",
  ip: "10.0.0.5",
};
const h = "web-api-shop";
const c = "web-api-shop-e844k-s12";
const m = "marathon.prod";

test("case 1: a task without endpoints is found under its name, its ports on the agent", () => {
  const records = recordsOf({ ...marathon, endpoints: [], ports: [["", 31_000]] });
  expect(records).toEqual(
    [
      `${h}.${m}.muster 10.0.0.5`,
      `${c}.${m}.muster 10.0.0.5`,
      `${h}.${m}.agent.muster 10.0.0.5`,
      `${c}.${m}.agent.muster 10.0.0.5`,
      `_${h}._tcp.${m}.agent.muster 31000 ${c}.${m}.agent.muster`,
      `_${h}._udp.${m}.agent.muster 31000 ${c}.${m}.agent.muster`,
      `_${h}._tcp.${m}.muster 31000 ${c}.${m}.agent.muster`,
      `_${h}._udp.${m}.muster 31000 ${c}.${m}.agent.muster`,
    ].sort(),
  );
});

test("case 1: a task with an endpoint is found under the endpoint's name and the port's", () => {
  const records = recordsOf({
    ...marathon,
    endpoints: [["Web_API.shop", "http", "tcp"]],
    ports: [["http", 8_080, "tcp"]],
  });
  expect(records).toEqual(
    [
      `${h}.${m}.muster 10.0.0.5`,
      `${c}.${m}.muster 10.0.0.5`,
      `${h}.${m}.agent.muster 10.0.0.5`,
      `${c}.${m}.agent.muster 10.0.0.5`,
      `_${h}._tcp.${m}.agent.muster 8080 ${c}.${m}.agent.muster`,
      `_${h}._tcp.${m}.muster 8080 ${c}.${m}.muster`,
      `_http._${h}._tcp.${m}.muster 8080 ${c}.${m}.muster`,
    ].sort(),
  );
});

test("case 8: an endpoint for tcp and udp is in both", () => {
  const records = recordsOf({ endpoints: [["dns", "dns", "tcp,udp"]], ports: [["dns", 5_353, "tcp"]] });
  for (const protocol of ["tcp", "udp"])
    expect(records.some((record) => record.startsWith(`_dns._dns._${protocol}.services.muster 5353 `))).toBe(true);
});

test("names that the cluster needs are not given to frameworks", () => {
  for (const framework of ["leader", "Master", "master0", "agents", "agent", "slave", "ns1", "web.agents"]) {
    const known = knownTask(aTask({ framework }), "muster");
    expect(known?.names, framework).toEqual([]);
    expect(known?.refused[0]).toMatch(/the cluster needs that name/);
  }
});

test("names that would be longer than DNS allows are refused with their length", () => {
  const framework = Array.from({ length: 5 }, () => "f".repeat(50)).join(".");
  const known = knownTask(aTask({ framework }), "muster");
  expect(known?.names).toEqual([]);
  expect(known?.refused[0]).toMatch(/characters of 253/);
});

test("a task with an address of its own is found there, one whose port is mapped on its agent", () => {
  const own = recordsOf({ ips: ["172.16.0.9", "fd00::9"], ports: [["http", 80]] });
  expect(own).toContain("web.services.muster 172.16.0.9");
  expect(own).toContain("web.services.muster fd00::9");
  expect(own).toContain("web.services.agent.muster 10.0.0.1");
  expect(own).not.toContain("web.services.muster 10.0.0.1");
});

test("a task in several networks is published where its service's port is, and without a port in the first", () => {
  const networks = [["10.78.0.2"], ["10.244.1.2", "fd44::2"]];
  const own = recordsOf({ ips: networks[0] ?? [], networks, ports: [["own", 80]], endpoints: [["web", "own"]] });
  expect(own.filter((record) => record.startsWith("web.services.muster "))).toEqual([
    "web.services.muster 10.244.1.2",
    "web.services.muster fd44::2",
  ]);
  const portless = recordsOf({ ips: networks[0] ?? [], networks, ports: [], endpoints: [["web", ""]] });
  expect(portless.filter((record) => record.startsWith("web.services.muster "))).toEqual([
    "web.services.muster 10.78.0.2",
  ]);
});
