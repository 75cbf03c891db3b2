import type { Transport } from "@muster/foundation";
import type { TaskGroup } from "@muster/jobspecs";
import { DeploymentState, JobState, type JobStatus, type SubscribeRequest } from "@muster/proto";
import type { Instance, JobEntry, ServicesState } from "@muster/services";
import { type Violation, violation } from "@muster/testing";

/** A deployment whose numbers stay the same for so long says why. Longer than any progress deadline of the workload. */
const muteMsMax = 60_000;

/**
 * What services decides about deployments, as it goes out: whatever fails, no decision takes the healthy places of a group
 * below what its update promises, and none leads to more instances than it allows. And whoever asks is told why a
 * deployment comes no further.
 */
export class DeploymentWatch {
  readonly #same = new Map<string, { readonly text: string; readonly sinceMs: number }>();

  /** The transport of one life of services, read along: `found` gets what must never be. */
  readAlong(
    transport: Transport,
    state: () => ServicesState | undefined,
    found: (all: readonly Violation[]) => void,
  ): Transport {
    return {
      ...delegating(transport),
      open: (method, address, inlet) => {
        const outlet = transport.open(method, address, inlet);
        if (method !== "Scheduling.Subscribe") return outlet;
        return {
          ready: () => outlet.ready(),
          end: (error) => outlet.end(error),
          send: (message) => {
            const known = state();
            if (known) found(this.#decided(known, message as SubscribeRequest));
            outlet.send(message);
          },
        };
      },
    };
  }

  /** What somebody was told who asked for a job. */
  told({ summary, deployment, message, instances, rejections }: JobStatus, nowMs: number): Violation[] {
    if (!summary || !deployment || summary.state === JobState.JOB_STATE_STOPPED) return [];
    const text = JSON.stringify([
      summary,
      deployment,
      instances.map(({ taskId, state, health }) => [taskId, state, health]),
    ]);
    const before = this.#same.get(summary.name);
    if (before?.text !== text) {
      this.#same.set(summary.name, { text, sinceMs: nowMs });
      return [];
    }
    const isOver = deployment.state === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL;
    const isTold = `${message}${deployment.reason}` !== "" || rejections.length > 0;
    if (isOver || isTold || instances.some(({ reason }) => reason !== "") || nowMs - before.sinceMs < muteMsMax)
      return [];
    return [
      violation("deployment-mute", summary.name, `the same for ${nowMs - before.sinceMs} ms, and no reason: ${text}`),
    ];
  }

  #decided(state: ServicesState, { kills, accepts }: SubscribeRequest): Violation[] {
    const found: Violation[] = [];
    const killed = new Set<Instance>();
    for (const { taskId, unhealthy } of kills) {
      const instance = unhealthy ? undefined : state.byTask.get(taskId);
      if (instance) killed.add(instance);
    }
    for (const entry of state.jobs.values()) {
      if (entry.isStopped || entry.current.job.type !== "service") continue;
      for (const group of entry.current.job.groups) {
        const own = [...entry.instances.values()].filter((one) => one.group === group.name);
        if (own.some((one) => killed.has(one))) found.push(...keptMinimum(entry, group, own, killed));
        if (accepts.length > 0) found.push(...keptMaximum(entry, group, own));
      }
    }
    return found;
  }
}

/** Methods of a class are no fields of its own. */
function delegating(transport: Transport): Transport {
  return {
    open: (method, address, inlet) => transport.open(method, address, inlet),
    call: (method, address, request, timeoutMs, done) => transport.call(method, address, request, timeoutMs, done),
    follow: (method, address, request, inlet) => transport.follow(method, address, request, inlet),
  };
}

/** Places that are served do not become fewer than is promised by what services itself ends. */
function keptMinimum(
  entry: JobEntry,
  group: TaskGroup,
  own: readonly Instance[],
  killed: ReadonlySet<Instance>,
): Violation[] {
  const isServing = (one: Instance): boolean => one.healthySinceMs !== undefined;
  const after = new Set(own.flatMap((one) => (isServing(one) && !one.isKilling ? one.index : [])));
  const before = new Set([...after, ...own.flatMap((one) => (isServing(one) && killed.has(one) ? one.index : []))]);
  const least = promisedMin(group);
  if (after.size >= before.size || after.size >= least) return [];
  const detail = `group ${group.name}, v${entry.current.record.version}: ${before.size} places served, ${after.size} after what is ended, ${least} promised`;
  return [violation("below-minimum", entry.name, detail)];
}

function keptMaximum(entry: JobEntry, group: TaskGroup, own: readonly Instance[]): Violation[] {
  const live = own.filter((one) => !one.isKilling && !one.isEnding && one.unreachableSinceMs === undefined);
  const most = allowedMax(group);
  if (live.length <= most) return [];
  const detail = `group ${group.name}, v${entry.current.record.version}: ${live.length} instances, at most ${most} allowed: ${live
    .map(({ id, index, version }) => `${id}/${index}/v${version}`)
    .join(" ")}`;
  return [violation("above-maximum", entry.name, detail)];
}

function promisedMin({ count, update: { method } }: TaskGroup): number {
  if (method.kind === "batch") return count - (method.maxParallel || count);
  return method.isStrict ? Math.ceil((count * method.minHealthyPercent) / 100) : 0;
}

function allowedMax({ count, update: { method, canaryCount } }: TaskGroup): number {
  const canaries = Math.min(canaryCount, count);
  if (method.kind === "batch") return count + canaries;
  const surge = method.surgePercent === 0 ? 0 : Math.max(1, Math.ceil((count * method.surgePercent) / 100));
  return count + Math.max(surge, canaries);
}
