// A master's core with agents and frameworks, fed as its loop would feed it, and such a loop whose turns are timed.
import { codecOf, emptyMessage, memoryStore, resources, seededRandom, silentLog } from "../../foundation/dist/index.js";
import { createMetrics } from "../../foundation/dist/metrics/metrics.js";
import { noBound } from "../../master/dist/allocator/bound.js";
import { defaultMasterConfig } from "../../master/dist/config.js";
import { allocate } from "../../master/dist/core/allocate.js";
import { beginReign } from "../../master/dist/core/begin.js";
import { step } from "../../master/dist/core/step.js";
import { Loop } from "../../master/dist/loop.js";
import { masterMetrics } from "../../master/dist/metrics.js";
import { Sessions } from "../../master/dist/sessions.js";

const now = { monotonicMs: 1_000_000, epochMs: 1_700_000_000_000 };
const each = resources({ cpuMillis: 2_000, memoryMiB: 1_024, diskMiB: 4_096, portCount: 1_001 });

/** `quotaOf`: so many agents' worth is promised to each role, and the most that it may have. */
export function createMasterWorld(agentCount, frameworkCount, quotaOf) {
  const registry = {
    clusterId: "bench",
    agents: [],
    frameworks: [],
    leases: [],
    roles: [],
    standings: [],
    maintenance: [],
    budgets: [],
  };
  const core = beginReign(1, registry, defaultMasterConfig, seededRandom("bench"), now);
  const { state } = core;
  const doStep = (input) => step(core, input, now);
  for (let index = 0; index < agentCount; index++) {
    const connection = 1_000_000 + index;
    const agentId = `agent-${String(index).padStart(6, "0")}`;
    const registration = {
      ...emptyMessage("Registration"),
      agentId,
      name: agentId,
      address: `10.0.0.1:${index}`,
      ip: "10.0.0.1",
      resources: each,
      dynamicPortFirst: 31_000,
      dynamicPortLast: 32_000,
    };
    doStep({ type: "agent-opened", connection, registration });
    doStep({ type: "agent-message", connection, message: { ...emptyMessage("ConnectRequest"), tasksComplete: true } });
    doStep({ type: "agent-stored", connection, error: undefined });
  }
  const roles = [];
  for (let index = 0; index < frameworkCount; index++) {
    const connection = 1 + index;
    const role = quotaOf ? `role-${String(index).padStart(6, "0")}` : "all";
    roles.push(role);
    if (quotaOf) {
      const cpuMillis = each.cpuMillis * quotaOf(index);
      const memoryMiB = each.memoryMiB * quotaOf(index);
      const limit = { ...noBound, cpuMillis, memoryMiB };
      state.allocator.setQuota(role, { guarantee: resources({ cpuMillis, memoryMiB }), limit });
    }
    const framework = { ...emptyMessage("FrameworkInfo"), name: `framework-${index}`, roles: [role] };
    const subscription = {
      framework,
      frameworkId: `framework-${String(index).padStart(6, "0")}`,
      suppressedRoles: [role],
      epochSeen: 0,
    };
    doStep({ type: "framework-opened", connection, principal: "local", subscription });
    doStep({ type: "framework-stored", connection, error: undefined });
  }
  // What all that has caused was told long ago.
  core.begin(now);
  core.effects.length = 0;
  state.changedAgents.clear();
  state.changedFrameworks.clear();
  state.dirty.clear();
  const ofFramework = (index, message) =>
    doStep({
      type: "framework-message",
      connection: 1 + index,
      message: { ...emptyMessage("SubscribeRequest"), ...message },
    });
  return {
    core,
    connections: { agents: agentCount, frameworks: frameworkCount },
    get offerCount() {
      return state.offers.size;
    },
    reviveAll() {
      for (let index = 0; index < frameworkCount; index++) ofFramework(index, { revives: [{ roles: [] }] });
    },
    /** One pass over all that is to be looked at; gives back milliseconds of CPU. */
    allocate() {
      core.begin(now);
      return cpuMsOf(() => allocate(core, () => false));
    },
    /** The oldest offer goes back, for an hour. */
    declineFirst() {
      const offer = state.offers.values().next().value;
      const declines = [{ offerIds: [offer.id], filters: { refuseMs: 3_600_000 } }];
      ofFramework(offer.framework.connection - 1, { declines });
      return offer.id;
    },
  };
}

/** What the process used of its processors, garbage collection included: the machine may have other work. */
function cpuMsOf(work) {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3;
}

/** The master's loop over that core, until it has nothing more to do; each of its turns is timed. */
export function runTicks(world) {
  const queue = [];
  const beganMs = performance.now();
  const clock = {
    monotonicMs: () => now.monotonicMs + performance.now() - beganMs,
    epochMs: () => now.epochMs,
    after(delayMs, wake) {
      const entry = { wake };
      if (delayMs <= 0) queue.push(entry);
      return () => {
        entry.wake = () => {};
      };
    },
  };
  const sessions = new Sessions();
  const codec = codecOf("SubscribeResponse");
  const outlet = { send: (message) => void codec.encode(message), ready: () => true, end: () => {} };
  for (let index = 0; index < world.connections.frameworks; index++)
    sessions.openFramework(
      outlet,
      () => 1,
      () => {},
    );
  const loop = new Loop(world.core, {
    clock,
    store: memoryStore(clock),
    log: silentLog,
    metrics: masterMetrics(createMetrics("bench_")),
    sessions,
    allocationSliceMs: defaultMasterConfig.allocationSliceMs,
    figuresIntervalMs: defaultMasterConfig.figuresIntervalMs,
    leads: () => true,
    failed: (error) => {
      throw error;
    },
  });
  let busyMs = 0;
  let longestMs = 0;
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
    const turnAtMs = performance.now();
    busyMs += cpuMsOf(() => entry.wake());
    longestMs = Math.max(longestMs, performance.now() - turnAtMs);
  }
  loop.stop();
  return { busyMs, longestMs };
}
