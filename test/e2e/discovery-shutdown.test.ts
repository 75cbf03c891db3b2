import { afterEach, expect, test } from "vitest";
import { Lab, service } from "../virtual/lab.ts";

// The shipped master, agents and frameworks, in virtual time.
let lab: Lab | undefined;

afterEach(() => {
  const seen = lab?.inspector.inspect() ?? [];
  lab = undefined;
  expect(seen).toEqual([]);
});

test("an instance with shutdown_delay leaves DNS at once, gets its signal when the delay is over, and others stay named", () => {
  lab = new Lab({ agents: 2, frameworks: ["services"] }).start();
  const group = `shutdown_delay = "5s"
    network {
      port "http" {}
    }
    service {
      port = "http"
    }`;
  const named = () => lab?.cluster.dns.endpoints("_http._web._tcp.services") ?? [];
  const count = () => lab?.alive().length ?? 0;
  lab.submit(service("web", { group, count: 2 }));
  lab.until(() => named().length === 2);
  const toldAtMs = lab.nowMs;
  lab.call("Jobs.Scale", { name: "web", count: 1 });
  lab.until(() => named().length === 1);
  // Well before its signal, which ends a simulated command at once.
  expect(lab.nowMs - toldAtMs).toBeLessThan(2_000);
  expect(count()).toBe(2);
  lab.until(() => count() === 1);
  expect(lab.nowMs - toldAtMs).toBeGreaterThanOrEqual(5_000);
  expect(lab.nowMs - toldAtMs).toBeLessThan(7_000);
  const [left] = lab.alive();
  expect(named()).toEqual([left?.spec.environment["MUSTER_ADDR_http"]]);
});
