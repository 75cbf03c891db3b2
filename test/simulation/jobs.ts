import { emptyMessage } from "@muster/foundation";
import { canonicalJson, type Job, type JobType } from "@muster/jobspecs";
import type { JobSubmission } from "@muster/proto";
import { type Life, masterAddress, type SimCluster } from "@muster/testing";
import { compiledJob } from "../../frameworks/services/src/core/core.test.support.ts";

interface ServiceShape {
  readonly count: number;
  /** Another number is another version. */
  readonly cpu: number;
  /** 0: the agent picks one. */
  readonly staticPort?: number;
  readonly constraint?: string;
  /** MiB of a volume for each instance. Absent: none. */
  readonly volumeMiB?: number;
}

export function service(name: string, { count, cpu, staticPort = 0, constraint = "", volumeMiB }: ServiceShape): Job {
  return compiledJob(`
job "${name}" {
  type = "service"
  group "g" {
    count = ${count}
    ${constraint}
    ${volumeMiB === undefined ? "" : `volume "data" {\ntype = "muster"\nsize = ${volumeMiB}\n}`}
    # What was killed again and again would by default wait for longer than a seed lasts after its chaos.
    restart {
      attempts = 1000
      interval = "1h"
      delay    = "5s"
      mode     = "delay"
    }
    network {
      port "http" { ${staticPort > 0 ? `static = ${staticPort}` : ""} }
    }
    service {
      name = "${name}"
      port = "http"
      check {
        type     = "tcp"
        interval = "5s"
        timeout  = "2s"
      }
    }
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ["serve", "listen"]
      }
      ${volumeMiB === undefined ? "" : 'volume_mount {\nvolume = "data"\ndestination = "/data"\n}'}
      resources {
        cpu    = ${cpu}
        memory = 64
      }
    }
  }
}`);
}

export function periodic(name: string, schedule: string, seconds: number, type: JobType = "batch"): Job {
  return compiledJob(`
job "${name}" {
  type = "${type}"
  periodic {
    ${schedule}
  }
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ["for", "${seconds * 1_000}"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}`);
}

/** A job that is handed in at a moment after the beginning of the world. */
export interface Order {
  readonly atMs: number;
  readonly job: Job;
}

/** Who wants what when. */
export const orders: readonly Order[] = [
  { atMs: 2_000, job: service("web", { count: 4, cpu: 50 }) },
  { atMs: 2_500, job: service("api", { count: 3, cpu: 40 }) },
  {
    atMs: 3_000,
    job: service("fixed", { count: 2, cpu: 30, staticPort: 8_080, constraint: "constraint { distinct_hosts = true }" }),
  },
  { atMs: 3_500, job: periodic("minutely", 'cron = "* * * * *"', 8) },
  { atMs: 4_000, job: periodic("often", 'interval = "R/2026-01-05T00:00:10Z/PT20S"\n    prohibit_overlap = true', 5) },
  {
    atMs: 4_500,
    job: periodic("sweep", 'interval = "R/2026-01-05T00:00:20Z/PT45S"\n    prohibit_overlap = true', 3, "sysbatch"),
  },
  { atMs: 180_000, job: service("web", { count: 6, cpu: 50 }) },
  { atMs: 300_000, job: service("api", { count: 3, cpu: 45 }) },
];

/** How many instances of each service there must be in the end. */
export const wantedInstances: ReadonlyMap<string, number> = new Map([
  ["web", 6],
  ["api", 3],
  ["fixed", 2],
]);

export const periodicJobs: ReadonlySet<string> = new Set(["minutely", "often", "sweep"]);

const callTimeoutMs = 10_000;
const retryMs = 2_000;

/** Somebody at a terminal: hands jobs in, again and again until they are taken. Has no life to lose. */
export function placeOrders(cluster: SimCluster, wanted: readonly Order[] = orders): void {
  const life = cluster.world.begin("operator");
  const submit = submitter(cluster, life);
  for (const { atMs, job } of wanted) cluster.world.after(life, atMs, "order", () => submit(job));
}

function submitter(cluster: SimCluster, life: Life): (job: Job) => void {
  const transport = cluster.network.transportOf(life);
  const again = (job: Job): void => {
    cluster.world.after(life, retryMs, "order", () => submit(job));
  };
  const submit = (job: Job): void => {
    transport.call("Jobs.Run", masterAddress, { job: submissionOf(job) }, callTimeoutMs, (result) => {
      if (result.ok) return;
      if (result.error.kind === "invalid") throw result.error;
      again(job);
    });
  };
  return submit;
}

function submissionOf(job: Job): JobSubmission {
  return {
    ...emptyMessage("JobSubmission"),
    name: job.id,
    type: job.type,
    role: job.role,
    priority: job.priority,
    definition: Buffer.from(canonicalJson(job)),
  };
}

/** Somebody who wants a job and all that it has gone at a moment, and asks until it is being done. */
export function purgeJob(cluster: SimCluster, atMs: number, name: string): void {
  const life = cluster.world.begin(`purges-${name}`);
  const transport = cluster.network.transportOf(life);
  const request = { name, purge: true, wipe: false };
  const ask = (): void => {
    transport.call("Jobs.Stop", masterAddress, request, callTimeoutMs, (result) => {
      if (!result.ok && result.error.kind !== "not-found") cluster.world.after(life, retryMs, "purge", ask);
    });
  };
  cluster.world.after(life, atMs, "purge", ask);
}
