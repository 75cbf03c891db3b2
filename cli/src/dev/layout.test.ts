import fc from "fast-check";
import { expect, test } from "vitest";
import { agentsMax, layOut, listeners } from "./layout.ts";

test("without an offset a cluster has the ports of the documentation", () => {
  expect(layOut(0, 1, 32_768)).toEqual({
    master: "127.0.0.1:5050",
    agents: [
      {
        name: "agent-1",
        address: "127.0.0.1:5051",
        taskPortFirst: 20_000,
        taskPortLast: 32_000,
        bridgeSubnet: "10.78.0.0/20",
        bridgeSubnet6: "fd78:0:0:0::/64",
      },
    ],
    edge: "127.0.0.1:5080",
    dns: "127.0.0.1:8053",
    dnsHttp: "127.0.0.1:8123",
  });
});

test("several agents listen from 5151 on", () => {
  expect(layOut(0, 2, 32_768).agents.map(({ address }) => address)).toEqual(["127.0.0.1:5151", "127.0.0.1:5152"]);
});

test("no two agents have a subnet in common, nor two clusters a hundred ports apart", () => {
  const subnets = [0, 100, 200].flatMap((offset) =>
    layOut(offset, agentsMax, 32_768).agents.map(
      ({ bridgeSubnet, bridgeSubnet6 }) => `${bridgeSubnet} ${bridgeSubnet6}`,
    ),
  );
  expect(new Set(subnets).size).toBe(3 * agentsMax);
  expect(layOut(0, 17, 32_768).agents.map(({ bridgeSubnet }) => bridgeSubnet)).toContain("10.79.0.0/20");
});

test("whatever the offset, slices are disjoint, not empty, valid, and no listener is named twice", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 1, max: agentsMax }), (offset, count) => {
      const layout = layOut(offset, count, 32_768);
      let previous = 0;
      for (const { taskPortFirst, taskPortLast } of layout.agents) {
        expect(taskPortFirst).toBeGreaterThan(previous);
        expect(taskPortLast - taskPortFirst).toBeGreaterThanOrEqual(49);
        previous = taskPortLast;
      }
      expect(previous).toBeLessThanOrEqual(65_535);
      const keys = listeners(layout).map(({ port, udp }) => `${port}/${udp}`);
      expect(new Set(keys).size).toBe(keys.length);
    }),
  );
});

test("task ports end where the kernel's own begin", () => {
  expect(layOut(2_000, 1, 32_768).agents[0]).toMatchObject({ taskPortFirst: 22_000, taskPortLast: 32_767 });
});

test("an offset that leaves no room is refused", () => {
  expect(() => layOut(60_000, 1, 32_768)).toThrow("--port-offset needs 0 to");
});
