import { Inspector, SimCluster } from "@muster/testing";
import { startBesideJobs } from "./beside-jobs.ts";
import { placeOrders, purgeJob, service } from "./jobs.ts";
import { volumesHaveOneUser } from "./volume-users.ts";

const phasesMs = { chaosBegins: 20_000, chaosEnds: 150_000, healed: 330_000, ends: 420_000 } as const;
export const volumeCount = 3;

/**
 * A service whose instances have volumes, started, updated and scaled while everything goes wrong. When it has healed, all
 * is as was last asked for; then the job is purged.
 */
export function runJobVolumes(seed: number) {
  const cluster = new SimCluster({ seed: `job-volumes-${seed}` });
  const inspector = new Inspector(cluster);
  inspector.alsoCheck(() => volumesHaveOneUser(cluster));
  startBesideJobs(cluster, inspector, phasesMs);
  const db = (count: number, cpu: number) => service("db", { count, cpu, volumeMiB: 100 });
  placeOrders(cluster, [
    { atMs: 10_000, job: db(volumeCount, 50) },
    { atMs: 50_000, job: db(volumeCount, 60) },
    { atMs: 90_000, job: db(volumeCount - 1, 60) },
    { atMs: 120_000, job: db(volumeCount, 70) },
    // What was handed in again and again may have overtaken what came after it.
    { atMs: 200_000, job: db(volumeCount, 80) },
  ]);
  purgeJob(cluster, phasesMs.healed, "db");
  cluster.world.run({ untilMs: phasesMs.healed });
  const onDisk = () => cluster.agents.flatMap((host) => [...host.volumes.here]).filter((id) => id.startsWith("db."));
  const inUse = cluster.agents.flatMap((host) =>
    host.processes
      .alive()
      .flatMap(({ spec }) => (spec.volumes ?? []).map(({ folder }) => folder.split("/").at(-1) ?? "")),
  );
  const healed = { onDisk: onDisk(), inUse };
  cluster.world.run({ untilMs: phasesMs.ends });
  const reserved = (cluster.master.view()?.agents ?? []).flatMap(({ reservations }) =>
    reservations.map(({ reservationId }) => reservationId),
  );
  return { cluster, healed, purged: { onDisk: onDisk(), reserved } };
}
