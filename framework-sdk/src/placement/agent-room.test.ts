import { resources } from "@muster/foundation";
import { AgentStanding, AgentState } from "@muster/proto";
import { expect, test } from "vitest";
import type { ClusterAgent } from "../cluster/cluster-view.ts";
import { agentRoom } from "./agent-room.ts";

const agent: ClusterAgent = {
  agentId: "a",
  name: "a",
  address: "a:5051",
  ip: "10.0.0.1",
  state: AgentState.AGENT_STATE_REGISTERED,
  total: resources({ cpuMillis: 1_000, memoryMiB: 1_024 }),
  allocated: resources({ cpuMillis: 300, memoryMiB: 256 }),
  offered: resources({ cpuMillis: 100 }),
  setAside: resources({ cpuMillis: 200, memoryMiB: 64 }),
  reservedRoles: ["data"],
  free: resources({ cpuMillis: 600, memoryMiB: 768 }),
  attributes: new Map(),
  portsTaken: new Set(),
  portsInPart: new Map(),
  drivers: [],
  networkModes: [],
  standing: AgentStanding.AGENT_STANDING_ACTIVE,
  maintenanceAt: 0,
  reservationIds: new Set(),
  volumeIds: new Set(),
};

test("what is offered to others can be had, what is set aside for others can not", () => {
  expect(agentRoom(agent, ["gangs"]).available).toEqual(resources({ cpuMillis: 500, memoryMiB: 704 }));
  expect(agentRoom(agent, ["database"]).available.cpuMillis).toBe(500);
});

test("who may have some of what is set aside asks for all that is not used", () => {
  expect(agentRoom(agent, ["gangs", "data"]).available.cpuMillis).toBe(700);
  expect(agentRoom(agent, ["data/inner"]).available.cpuMillis).toBe(700);
});
