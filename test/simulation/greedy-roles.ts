import { emptyMessage } from "@muster/foundation";
import { command, defineFramework, type Resources, type Runtime, resources, runFramework } from "@muster/framework-sdk";
import { type Life, masterAddress, type SimCluster } from "@muster/testing";

/** Keeps more tasks wanted than the cluster has room for: each ends soon, and is wanted anew. */
export function greedyFramework(runtime: Runtime, name: string, role: string): void {
  const template = {
    name,
    resources: { cpuMillis: 500, memoryMiB: 128 },
    run: command("work", ["for", "5000"]),
  };
  const definition = defineFramework({
    name,
    roles: [role],
    reconcile: ({ tasks, place }) => place(Math.max(0, 10 - tasks.live().length), template),
  });
  runFramework(definition, { address: masterAddress, runtime });
}

/** One call of an operator, at a moment. */
export interface Ruling {
  readonly atMs: number;
  readonly role: string;
  readonly guarantee?: Partial<Resources>;
  readonly limit?: Partial<Resources>;
  readonly weightMillis?: number;
}

/** Tries again until the master has taken it, whatever happens to either. */
export function ruling(cluster: SimCluster, life: Life, { atMs, role, guarantee, limit, weightMillis }: Ruling): void {
  const { transport } = cluster.runtimeOf(life);
  const retry = (): void => void cluster.world.after(life, 1_000, "ruling", call);
  const call = (): void => {
    if (weightMillis !== undefined) {
      const request = { ...emptyMessage("SetWeightRequest"), role, weightMillis };
      transport.call("Operator.SetWeight", masterAddress, request, 2_000, (result) => result.ok || retry());
      return;
    }
    const request = {
      ...emptyMessage("SetQuotaRequest"),
      role,
      guarantee: guarantee ? resources(guarantee) : null,
      limit: limit ? resources(limit) : null,
      force: true,
    };
    transport.call("Operator.SetQuota", masterAddress, request, 2_000, (result) => result.ok || retry());
  };
  cluster.world.after(life, Math.max(0, atMs - cluster.world.nowMs), "ruling", call);
}
