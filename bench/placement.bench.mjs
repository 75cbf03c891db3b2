// biome-ignore-all lint/suspicious/noTemplateCurlyInString: constraints refer to properties so
// How long a framework thinks about where instances go: one job with spread and affinity on many agents, the matrix that
// Nomad's scheduler is measured by, and a plan of the whole.
import { performance } from "node:perf_hooks";
import { compiled } from "./job.mjs";

const rackText = "${meta.rack}";
const diskText = "${meta.disk}";
const matrix = { agents: [500, 1_000, 5_000, 10_000], racks: [25, 50, 75], counts: [50, 300, 600, 900, 1_200] };

function roomsOf(count, rackCount, sdk) {
  const total = sdk.resources({ cpuMillis: 16_000, memoryMiB: 32_000, portCount: 1_000 });
  return Array.from({ length: count }, (_, index) => ({
    agentId: `agent-${index}`,
    agentName: `agent-${index}`,
    attributes: new Map([
      ["meta.rack", `r${index % rackCount}`],
      ["meta.disk", index % 3 === 0 ? "ssd" : "hdd"],
    ]),
    available: total,
    total,
    portsTaken: new Set(),
    dynamicPortFirst: 20_000,
    dynamicPortLast: 20_999,
  }));
}

function needOf(count, { hasSpread, hasAffinity = false, racks = 0 }, sdk) {
  const half = Array.from({ length: Math.floor(racks / 2) }, (_, index) => `r${index}`).join(",");
  return {
    resources: sdk.resources({ cpuMillis: 1_000, memoryMiB: 1_000 }),
    dynamicPortCount: 1,
    staticPorts: [],
    constraints: half === "" ? [] : [{ attribute: half, operator: "set_contains_any", value: rackText }],
    wantedCount: count,
    ...(hasAffinity ? { affinities: [{ attribute: diskText, operator: "=", value: "ssd", weight: 50 }] } : {}),
    ...(hasSpread ? { spreads: [{ attribute: rackText, weight: 50, targets: [] }] } : {}),
  };
}

/** Milliseconds, and how many found a place. */
function place(rooms, need, count, sdk) {
  const began = performance.now();
  const matcher = new sdk.Matcher(rooms, sdk.seededRandom("bench"));
  const occupants = matcher.occupants([]);
  let placed = 0;
  for (let index = 0; index < count; index++) if ("placed" in matcher.place(need, occupants)) placed++;
  return { ms: performance.now() - began, placed };
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function times(rounds, act) {
  return median(Array.from({ length: rounds }, act));
}

async function planMs(sdk) {
  const { planRun } = await import("../frameworks/services/dist/core/plan.js");
  const { versionEntry } = await import("../frameworks/services/dist/core/versions.js");
  const { canonicalJson } = await import("../jobspecs/dist/index.js");
  const agents = new Map(
    roomsOf(5_000, 50, sdk).map(({ agentId, attributes, total }) => [
      agentId,
      {
        agentId,
        name: agentId,
        ip: "10.0.0.1",
        state: sdk.AgentState.AGENT_STATE_REGISTERED,
        standing: sdk.AgentStanding.AGENT_STANDING_ACTIVE,
        total,
        allocated: sdk.resources({}),
        offered: sdk.resources({}),
        free: total,
        attributes,
        portsTaken: new Set(),
        drivers: ["process"],
        networkModes: ["host"],
      },
    ]),
  );
  const text = `job "web" {
  group "web" {
    count = 1000
    spread {
      attribute = "${rackText}"
    }
    affinity {
      attribute = "${diskText}"
      value     = "ssd"
    }
    task "web" {
      driver = "process"
      config {
        command = "sleep"
      }
    }
  }
}`;
  const job = compiled(text);
  const record = {
    version: 1,
    submittedAt: 0,
    cause: "run",
    definition: canonicalJson(job),
    source: "",
    stable: false,
  };
  const wanted = versionEntry(record, job);
  return times(5, () => {
    const began = performance.now();
    const plan = planRun(undefined, wanted, { agents, isKnown: true, random: sdk.seededRandom("bench") });
    if (plan.placements.some(({ agentId }) => agentId === "")) throw new Error("not all of the plan is placed");
    return performance.now() - began;
  });
}

export async function run(log) {
  const sdk = await import("../framework-sdk/dist/index.js");
  log("placement: the median of 5 rounds; a cell is ms for all instances of one job");
  const rooms = roomsOf(5_000, 50, sdk);
  const both = { hasSpread: true, hasAffinity: true };
  const large = times(5, () => {
    const { ms, placed } = place(rooms, needOf(10_000, both, sdk), 10_000, sdk);
    if (placed !== 10_000) throw new Error(`${placed} of 10000 were placed`);
    return ms;
  });
  const plan = await planMs(sdk);
  let worst = 0;
  for (const hasSpread of [false, true]) {
    log(`${hasSpread ? "with" : "without"} spread: agents × racks, for ${matrix.counts.join(", ")} instances`);
    for (const agents of matrix.agents)
      for (const racks of matrix.racks) {
        const cell = roomsOf(agents, racks, sdk);
        const row = matrix.counts.map((count) =>
          times(3, () => place(cell, needOf(count, { hasSpread, racks }, sdk), count, sdk).ms),
        );
        worst = Math.max(worst, ...row);
        log(`  ${`${agents} × ${racks}`.padEnd(12)} ${row.map((ms) => ms.toFixed(1).padStart(8)).join(" ")} ms`);
      }
  }
  return [
    { label: "10,000 with spread and affinity on 5,000 agents", value: large, unit: "ms", peer: "bar 2,000 ms" },
    { label: "plan of 1,000 on 5,000 agents", value: plan, unit: "ms", peer: "bar 500 ms" },
    { label: "the slowest of 120 cells", value: worst, unit: "ms" },
  ];
}
