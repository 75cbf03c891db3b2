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
