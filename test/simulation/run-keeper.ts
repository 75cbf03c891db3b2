import { Inspector, masterAddress, SimCluster, violation } from "@muster/testing";
import { startBesideJobs } from "./beside-jobs.ts";
import { keepsData } from "./keeping-data.ts";

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
  // A task that lives has its volumes under it, and no other task of the host has them too.
  inspector.alsoCheck(() =>
    cluster.agents.flatMap((host) => {
      const users = host.processes.alive().flatMap(({ spec }) => (spec.volumes ?? []).map(({ folder }) => folder));
      const ids = users.map((folder) => folder.slice(folder.lastIndexOf("/") + 1));
      return [
        ...ids.filter((id) => !host.volumes.here.has(id)).map((id) => violation("volume-gone", host.name, id)),
        ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => violation("volume-shared", host.name, id)),
      ];
    }),
  );
  cluster.addProgram("keeper", "sdk-framework", (life) =>
    keepsData(cluster.runtimeOf(life), masterAddress, phasesMs.chaosEnds).start(),
  );
  startBesideJobs(cluster, inspector, phasesMs);
  cluster.world.run({ untilMs: phasesMs.ends });
  return { cluster, counts };
}
