import { type ClusterAgent, type Offer, type Operation, resources, type TaskGroup } from "@muster/framework-sdk";

interface Lying {
  readonly agentId: string;
  readonly diskMiB: number;
  hasVolume: boolean;
  /** The launch that uses it. */
  user: string | undefined;
}

/** What is reserved on agents, and volumes there, with the master's rules about them. */
export class DisksOfAgents {
  readonly byId = new Map<string, Lying>();
  readonly #agents: Map<string, ClusterAgent>;

  constructor(agents: Map<string, ClusterAgent>) {
    this.#agents = agents;
  }

  change(agentId: string, operations: readonly Operation[]): void {
    for (const { reserve, createVolume, destroyVolume, unreserve } of operations) {
      if (reserve) {
        const { reservationId } = reserve;
        if (this.byId.has(reservationId)) throw new Error(`${reservationId} is reserved already`);
        const { diskMiB = 0 } = reserve.resources ?? {};
        this.byId.set(reservationId, { agentId, diskMiB, hasVolume: false, user: undefined });
      }
      if (createVolume) this.#lying(agentId, createVolume.volumeId).hasVolume = true;
      if (destroyVolume) {
        const one = this.#lying(agentId, destroyVolume.volumeId);
        if (one.user !== undefined) throw new Error(`${destroyVolume.volumeId} is used`);
        one.hasVolume = false;
      }
      if (unreserve) {
        if (this.#lying(agentId, unreserve.reservationId).hasVolume) throw new Error("a volume is in it");
        this.byId.delete(unreserve.reservationId);
      }
    }
    this.show();
  }

  use(agentId: string, { volumes, launchId }: TaskGroup): void {
    for (const { volumeId } of volumes) {
      const one = this.#lying(agentId, volumeId);
      if (!one.hasVolume || one.user !== undefined) throw new Error(`${volumeId} is not to be had`);
      one.user = launchId;
    }
  }

  leave(launchId: string): void {
    for (const one of this.byId.values()) if (one.user === launchId) one.user = undefined;
  }

  offered(agentId: string): Pick<Offer, "reserved" | "volumes"> {
    const own = [...this.byId].filter(([, one]) => one.agentId === agentId);
    return {
      reserved: own.flatMap(([reservationId, { diskMiB, hasVolume }]) =>
        hasVolume ? [] : [{ reservationId, role: "default", resources: resources({ diskMiB }), labels: {} }],
      ),
      volumes: own.flatMap(([volumeId, { diskMiB, hasVolume, user }]) =>
        hasVolume && user === undefined ? [{ volumeId, reservationId: volumeId, diskMiB, launchId: "" }] : [],
      ),
    };
  }

  /** The feed tells of it. */
  show(): void {
    for (const [agentId, agent] of this.#agents) {
      const own = [...this.byId].filter(([, one]) => one.agentId === agentId);
      const reservationIds = new Set(own.map(([id]) => id));
      const volumeIds = new Set(own.filter(([, { hasVolume }]) => hasVolume).map(([id]) => id));
      this.#agents.set(agentId, { ...agent, reservationIds, volumeIds });
    }
  }

  #lying(agentId: string, id: string): Lying {
    const one = this.byId.get(id);
    if (one?.agentId !== agentId) throw new Error(`${agentId} has no ${id}`);
    return one;
  }
}
