import { afterEach, expect, test } from "vitest";
import { Lab, service } from "../virtual/lab.ts";

// The shipped master, agents and frameworks, in virtual time.
let lab: Lab | undefined;

afterEach(() => {
  const seen = lab?.inspector.inspect() ?? [];
  lab = undefined;
  expect(seen).toEqual([]);
});

const portBlock = `network {
      port "http" {
        static = 8080
      }
    }`;

test("case 12: a fixed port is used once on each agent, whoever asks for it and however often", () => {
  lab = new Lab({ agents: 2, frameworks: ["services"] }).start();
  const on = (job: string) => (lab?.alive() ?? []).filter(({ taskId }) => taskId.startsWith(`${job}.`));
  lab.submit(service("first", { group: portBlock }));
  lab.until(() => on("first").length === 1);
  lab.submit(service("second", { group: portBlock, count: 3 }));
  lab.until(() => on("second").length === 1);
  // The two that have no place are tried again and again; none ever gets near an agent.
  lab.run(120_000);
  expect(on("second")).toHaveLength(1);
  expect(on("first")[0]?.agent).not.toBe(on("second")[0]?.agent);
  const launched = lab.overheard.flatMap(({ message }) =>
    (message.accepts ?? []).flatMap(({ operations }) => operations.flatMap(({ launch }) => launch?.groups ?? [])),
  );
  expect(launched).toHaveLength(2);
  lab.call("Jobs.Stop", { name: "first" });
  lab.until(() => on("second").length === 2);
});

test("a group whose network is to be bounded goes to agents that can, and says so where none is there", () => {
  lab = new Lab({ agents: 2, frameworks: ["services"] }).start();
  const group = `network {
      mode = "bridge"
      limits {
        down_mbit = 100
      }
    }`;
  lab.submit(service("bounded", { group }));
  lab.run(5_000);
  expect(lab.alive()).toEqual([]);
  expect(JSON.stringify(lab.call("Jobs.Get", { name: "bounded" }))).toContain("attr.network.limits} is not set");
});

test("a port of a named network of the host goes where the host has one, also when that changes", () => {
  lab = new Lab({ agents: 3, frameworks: ["services"] }).start();
  const group = `network {
      port "http" {
        host_network = "private"
      }
    }`;
  lab.submit(service("near", { group, count: 4, cpu: 1 }));
  lab.until(() => (lab?.alive().length ?? 0) === 4);
  const hosts = lab.cluster.agents.filter(({ processes }) => processes.networks.length > 0);
  expect(hosts.length).toBe(2);
  const addressOf = (agent: string) => hosts.find(({ name }) => name === agent)?.processes.networks[0]?.ip;
  for (const { agent, spec } of lab.alive()) expect(spec.environment["MUSTER_IP_http"]).toBe(addressOf(agent));
  for (const host of hosts) host.processes.networks = [];
  lab.run(40_000);
  lab.call("Jobs.Scale", { name: "near", count: 6 });
  lab.run(20_000);
  expect(lab.alive()).toHaveLength(4);
  const [other] = lab.cluster.agents.filter((host) => !hosts.includes(host));
  if (other) other.processes.networks = [{ name: "private", ip: "10.9.9.9" }];
  lab.until(() => (lab?.alive().length ?? 0) === 6, 60_000);
  expect(lab.alive().filter(({ agent }) => agent === other?.name)).toHaveLength(2);
});
