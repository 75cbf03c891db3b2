// biome-ignore-all lint/suspicious/noTemplateCurlyInString: host names with references that the agent fills in.
import { codecOf, emptyMessage, seededRandom } from "@muster/foundation";
import type { Launch } from "@muster/proto";
import { expect, test } from "vitest";
import { coreConfig } from "../core/core-config.test.support.ts";
import { createState } from "../core/create-state.ts";
import { netSpec } from "../core/net.ts";
import { step } from "../core/step.ts";
import { launchFromWire } from "../wire.ts";

const config = { ...coreConfig, agentName: "north_1", networkModes: new Set(["bridge"]), addressesMax: 3 };

/** The host name of a group that asks for this one, or what is wrong with it. */
function hostnameOf(hostname: string, memoryMiBMax = 0): string {
  const named = { command: "serve", driver: "process", jobName: "shop", instanceIndex: 2 };
  const spec = { ...emptyMessage("TaskSpec"), ...named, memoryMiBMax };
  const launch = {
    ...emptyMessage("Launch"),
    frameworkId: "f",
    group: {
      ...emptyMessage("TaskGroup"),
      launchId: "one",
      networkMode: "bridge",
      network: { ...emptyMessage("GroupNetwork"), hostname },
      tasks: [{ ...emptyMessage("TaskInfo"), taskId: "shop.web.2", spec: codecOf("TaskSpec").encode(spec) }],
    },
  } as Launch;
  const request = launchFromWire(launch);
  if (!request || request.tasks[0]?.problem) return request?.tasks[0]?.problem ?? "";
  const state = createState(config, { first: 20_000, last: 20_019, reuseAfterMs: 60_000 }, seededRandom("core"), 0);
  step(state, { type: "launch", launch: request }, { monotonicMs: 1_000, epochMs: 1_700_000_000_000 });
  const [group] = state.groups.values();
  return group ? netSpec(group).settings.hostname : "";
}

test("what a host name refers to is filled in by the agent, as far as it can stand in a host name", () => {
  expect(hostnameOf("web")).toBe("web");
  expect(hostnameOf("${NOMAD_JOB_NAME}-${NOMAD_ALLOC_INDEX}")).toBe("shop-2");
  expect(hostnameOf("${MUSTER_TASK_ID}.${node.unique.name}")).toBe("shop.web.2.north-1");
  expect(hostnameOf(`\${NOMAD_JOB_NAME}${"x".repeat(61)}`)).toBe(`shop${"x".repeat(59)}`);
});

test("a task is told what memory it may use at most, which without a bound of its own is what it asks for", () => {
  expect(hostnameOf("m${NOMAD_MEMORY_MAX_LIMIT}", 256)).toBe("m256");
  expect(hostnameOf("m${NOMAD_MEMORY_MAX_LIMIT}")).toBe("m0");
});

test("a host name that is none is refused, also beside references", () => {
  expect(hostnameOf("a b")).toMatch("network.hostname");
  expect(hostnameOf("a_${NOMAD_ALLOC_INDEX}")).toMatch("network.hostname");
  expect(hostnameOf("${NOMAD_ALLOC_INDEX")).toMatch("network.hostname");
});
