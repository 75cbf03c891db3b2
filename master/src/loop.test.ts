import { type Clock, emptyMessage, memoryStore, resources, seededRandom, silentLog } from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { expect, test } from "vitest";
import { defaultMasterConfig } from "./config.ts";
import { beginReign } from "./core/begin.ts";
import { Loop } from "./loop.ts";
import { masterMetrics } from "./metrics.ts";
import { Sessions } from "./sessions.ts";

const agentCount = 2_000;
/** Between two looks at the clock, so that a slice is over after a few of them. */
const lookMs = 1;

/** A loop whose turns are taken one by one. */
function steppedLoop() {
  let nowMs = 1_000_000;
  const due: (() => void)[] = [];
  const clock: Clock = {
    monotonicMs: () => {
      nowMs += lookMs;
      return nowMs;
    },
    epochMs: () => 1_700_000_000_000,
    after(delayMs, act) {
      if (delayMs > 0) return () => {};
      due.push(act);
      return () => due.splice(due.indexOf(act), 1);
    },
  };
  const nothing = { agents: [], frameworks: [], leases: [], roles: [], standings: [], maintenance: [], budgets: [] };
  const start = { monotonicMs: nowMs, epochMs: clock.epochMs() };
  const core = beginReign(1, { clusterId: "c", ...nothing }, defaultMasterConfig, seededRandom("loop"), start);
  const failures: Error[] = [];
  const loop = new Loop(core, {
    clock,
    store: memoryStore(clock),
    log: silentLog,
    metrics: masterMetrics(createMetrics("test_")),
    sessions: new Sessions(),
    allocationSliceMs: defaultMasterConfig.allocationSliceMs,
    figuresIntervalMs: defaultMasterConfig.figuresIntervalMs,
    leads: () => true,
    failed: (error) => failures.push(error),
  });
  /** One turn; false if none is due. */
  const turn = (): boolean => {
    const act = due.shift();
    act?.();
    return act !== undefined;
  };
  return { loop, turn, failures };
}

test("figures of thousands of agents are told over several turns, those of each once", () => {
  const { loop, turn, failures } = steppedLoop();
  for (let index = 0; index < agentCount; index++) {
    const registration = {
      ...emptyMessage("Registration"),
      agentId: `agent-${index}`,
      name: `agent-${index}`,
      address: `10.0.0.1:${index}`,
      ip: "10.0.0.1",
      resources: resources({ cpuMillis: 1_000, memoryMiB: 1_024 }),
    };
    loop.post({ type: "agent-opened", connection: index + 1, registration });
  }
  loop.core.state.changedAgents.clear();
  while (turn()) {
    // What registering has caused is told.
  }
  for (const agent of loop.core.state.agents.values()) loop.core.state.changedAgents.add(agent);
  const before = loop.ring.last;
  loop.wake();
  let longest = 0;
  for (let last = before; turn(); last = loop.ring.last) longest = Math.max(longest, loop.ring.last - last);
  expect(failures).toEqual([]);
  expect(loop.ring.last - before).toBe(agentCount);
  expect(longest).toBeLessThan(agentCount / 4);
});
