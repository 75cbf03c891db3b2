import { Inspector, masterAddress, SimCluster } from "@muster/testing";
import { startBesideJobs } from "./beside-jobs.ts";
import { keepsData } from "./keeping-data.ts";
import { volumesHaveOneUser } from "./volume-users.ts";

const phasesMs = { chaosBegins: 20_000, chaosEnds: 120_000, ends: 240_000 } as const;

/** A framework that reserves, makes volumes and uses them while everything goes wrong, and at last gives all back. */
export function runKeeper(seed: number) {
  const cluster = new SimCluster({ seed: `reservations-${seed}` });
  const inspector = new Inspector(cluster);
  const counts = { used: 0, done: 0, failed: 0 };
  inspector.onScheduling = (_from, message) => {
    for (const { refusal } of message.operationResults ?? [])
      if (refusal === null) counts.done++;
      else counts.failed++;
  };
  inspector.onStart = ({ spec }) => {
    counts.used += spec.volumes?.length ?? 0;
  };
  inspector.alsoCheck(() => volumesHaveOneUser(cluster));
  cluster.addProgram("keeper", "sdk-framework", (life) =>
    keepsData(cluster.runtimeOf(life), masterAddress, phasesMs.chaosEnds).start(),
  );
  startBesideJobs(cluster, inspector, phasesMs);
  cluster.world.run({ untilMs: phasesMs.ends });
  return { cluster, counts };
}
