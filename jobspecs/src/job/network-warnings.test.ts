import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { type NetworkedAgent, networkWarnings } from "./network-warnings.ts";
import type { Job } from "./types.ts";

function jobWith(network: string): Job {
  const task = `task "t" {
      driver = "process"
      config { command = "serve" }
    }`;
  const text = `job "web" {
  group "front" {
    ${network}
    ${task}
  }
}`;
  const { job, diagnostics } = compileJob({ file: "web.hcl", text });
  if (!job) throw new Error(JSON.stringify(diagnostics));
  return job;
}

function agent(name: string, ports: string | undefined): NetworkedAgent {
  const attributes = new Map(ports === undefined ? [] : [["network.cni.web.ports", ports]]);
  return { name, attributes, networkModes: ["host", "cni/web"] };
}

test("a group in the host's network is warned of, one in a network of its own is not", () => {
  expect(networkWarnings(jobWith(""), [])).toEqual([expect.stringMatching(/^group front: shares the host's network/)]);
  expect(networkWarnings(jobWith('network { mode = "bridge" }'), [])).toEqual([]);
});

test("a group with ports in a network of CNI without portmap is warned of, with the agents' names", () => {
  const job = jobWith('network {\nmode = "cni/web"\nport "http" { to = 80 }\n}');
  const warned = networkWarnings(job, [agent("a", "false"), agent("b", "true"), agent("c", undefined)]);
  expect(warned).toEqual([
    expect.stringMatching(/ports http: no plugin of network cni\/web takes ports on a: .*portmap/),
  ]);
  expect(networkWarnings(job, [agent("b", "true")])).toEqual([]);
  expect(networkWarnings(jobWith('network { mode = "cni/web" }'), [agent("a", "false")])).toEqual([]);
  const many = networkWarnings(
    job,
    Array.from({ length: 7 }, (_, index) => agent(`a${index}`, "false")),
  );
  expect(many).toEqual([expect.stringContaining("a0, a1, a2, a3, a4 and 2 more")]);
});
