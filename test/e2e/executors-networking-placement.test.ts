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

test("one fixed port is had once on each network of a host, and on every address only where nobody has it", () => {
  lab = new Lab({ agents: 1, frameworks: ["services"] }).start();
  const [host] = lab.cluster.agents;
  if (host)
    host.processes.networks = [
      { name: "private", ip: "10.9.9.9" },
      { name: "public", ip: "192.0.2.7" },
    ];
  lab.run(40_000);
  const job = (name: string, network: string) =>
    service(name, {
      group: `network {
      port "http" {
        static = 8080
        ${network === "" ? "" : `host_network = "${network}"`}
      }
    }`,
    });
  const running = () => (lab?.alive() ?? []).map(({ taskId }) => taskId.split(".")[0]).sort();
  lab.submit(job("inside", "private"));
  lab.submit(job("outside", "public"));
  lab.until(() => running().length === 2);
  expect(
    lab
      .alive()
      .map(({ spec }) => spec.environment["MUSTER_ADDR_http"])
      .sort(),
  ).toEqual(["10.9.9.9:8080", "192.0.2.7:8080"]);
  lab.submit(job("again", "public"));
  lab.submit(job("everywhere", ""));
  lab.run(60_000);
  expect(running()).toEqual(["inside", "outside"]);
  lab.call("Jobs.Stop", { name: "everywhere" });
  lab.call("Jobs.Stop", { name: "outside" });
  lab.until(() => running().includes("again"));
  expect(running()).toEqual(["again", "inside"]);
});
