import { emptyMessage } from "@muster/foundation";
import type { FurtherNetwork, TaskGroup } from "@muster/proto";
import { expect, test } from "vitest";
import { moreNetworksMax, problemOfNetworks } from "./wire-networks.ts";

function problem(networkMode: string, more: readonly FurtherNetwork[], networkOfPort = 0): string {
  const ports = [{ ...emptyMessage("PortRequest"), label: "http", network: networkOfPort }];
  return problemOfNetworks({
    ...(emptyMessage("TaskGroup") as TaskGroup),
    networkMode,
    ports,
    moreNetworks: [...more],
  });
}

test("several networks are a set of different ones, and ports name one that is there", () => {
  const [web, blue] = [{ mode: "cni/web" }, { mode: "overlay/blue" }];
  expect(problem("bridge", [web, blue], 2)).toBe("");
  expect(problem("", [], 0)).toBe("");
  expect(problem("bridge", [web], 2)).toBe('ports: "http" is in network 2, which its group has not');
  expect(problem("bridge", [web, web])).toBe("more_networks[1].mode: the group is in cni/web already");
  expect(problem("", [web])).toBe("network_mode: mode host can't be beside another network");
  expect(problem("bridge", [{ mode: "none" }])).toBe(
    "more_networks[0].mode: mode none can't be beside another network",
  );
  expect(problem("bridge", [{ ...web, downMbitMax: 0 }])).toBe("more_networks[0].down_mbit_max: must be 1 to 400000");
  const many = Array.from({ length: moreNetworksMax + 1 }, (_, index) => ({ mode: `cni/n${index}` }));
  expect(problem("bridge", many)).toBe("more_networks: at most 7");
});
