import { command, defineFramework, runFramework } from "@muster/framework-sdk";
import { type Behaviour, Inspector, masterAddress, SimCluster } from "@muster/testing";
import { expect, test } from "vitest";
import { idleFramework } from "./small/frameworks.ts";
import { MaliciousFramework } from "./small/malicious-framework.ts";

const wanted = 8;
const offerTimeoutMs = 3_000;
const sampleMs = 100;
const beginsMs = 5_000;
const endsMs = 65_000;
const maliciousEveryMs = 150;

/** Somebody who always wants eight short tasks, for which there is room twice over; and who else is there. */
function runPatient(others: (cluster: SimCluster, inspector: Inspector) => void) {
  const behave = (): Behaviour => ({
    ...{ runsForMs: 4_000, exitCode: 0, isDeaf: false, listens: false, canStart: true, attaches: false },
  });
  const cluster = new SimCluster({ seed: "malicious", agents: 2, behave, master: { offerTimeoutMs } });
  const inspector = new Inspector(cluster);
  const definition = defineFramework({
    name: "patient",
    roles: ["patient"],
    reconcile: ({ tasks, place }) =>
      place(Math.max(0, wanted - tasks.live().length), {
        name: "patient",
        resources: { cpuMillis: 500, memoryMiB: 64 },
        run: command("work", []),
      }),
  });
  cluster.addProgram("patient", "sdk-framework", (life) =>
    runFramework(definition, { address: masterAddress, runtime: cluster.runtimeOf(life) }),
  );
  others(cluster, inspector);
  cluster.start();
  inspector.start();
  cluster.run(beginsMs);
  let lackingMs = 0;
  let lackingMsMax = 0;
  while (cluster.world.nowMs < endsMs) {
    cluster.run(sampleMs);
    const living = cluster.agents.flatMap(({ processes }) => processes.alive()).length;
    lackingMs = living < wanted ? lackingMs + sampleMs : 0;
    lackingMsMax = Math.max(lackingMsMax, lackingMs);
  }
  return { cluster, lackingMsMax, startCount: inspector.startCount };
}

test("frameworks that flood, lie and name what is not theirs delay nobody's offers", () => {
  const alone = runPatient(() => {});
  let refusedCount = 0;
  const beside = runPatient((cluster, inspector) => {
    for (const name of ["mallory", "trudy", "eve"]) {
      inspector.malicious.add(name);
      cluster.addProgram(name, "malicious", (life) => new MaliciousFramework(cluster, life, maliciousEveryMs).start());
    }
    const { onMessage } = cluster.network;
    cluster.network.onMessage = (method, from, to, message) => {
      onMessage?.(method, from, to, message);
      if (inspector.malicious.has(to.name)) refusedCount += (message as { refusals?: unknown[] }).refusals?.length ?? 0;
    };
  });
  // Else it did no harm that was worth refusing.
  expect(refusedCount).toBeGreaterThan(1_000);
  expect(beside.cluster.violations.all).toEqual([]);
  expect(beside.lackingMsMax).toBeLessThanOrEqual(alone.lackingMsMax + 500);
  expect(beside.startCount).toBeGreaterThanOrEqual(0.95 * alone.startCount);
});

test("a framework that takes offers and never reads on keeps them no longer than an offer lasts", () => {
  const alone = runPatient(() => {});
  const beside = runPatient((cluster) => {
    const program = cluster.addProgram("deaf", "malicious", (life) => idleFramework(cluster.runtimeOf(life), "deaf"));
    cluster.world.after(undefined, beginsMs / 2, "deaf", () => {
      if (program.life !== undefined) cluster.world.pause(program.life, endsMs);
    });
  });
  expect(beside.cluster.violations.all).toEqual([]);
  expect(beside.lackingMsMax).toBeLessThanOrEqual(alone.lackingMsMax + offerTimeoutMs + 500);
});
