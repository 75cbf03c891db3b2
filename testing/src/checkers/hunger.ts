import {
  addResources,
  containsResources,
  formatResources,
  noResources,
  type Resources,
  subtractResources,
} from "@muster/foundation";
import { type MasterView, type Violation, violation } from "@muster/master";
import { type AgentRecord, AgentStanding, AgentState } from "@muster/proto";

/** What nobody has and nobody is offered is offered to whoever wants it well within this: refusals of 5 s included. */
export const hungryForMsMax = 10_000;

/** Watches one framework that says what it wants: while that lies about free, it is offered it. */
export class HungerWatch {
  readonly #framework: string;
  /** Since when each agent has had room for what the framework wants. */
  readonly #sinceMs = new Map<string, number>();

  constructor(framework: string) {
    this.#framework = framework;
  }

  /** `wanted`: the least that the framework could use now; undefined: it wants nothing. */
  sample(nowMs: number, { agents }: MasterView, wanted: Resources | undefined): Violation[] {
    if (wanted === undefined) {
      this.interrupted();
      return [];
    }
    return agents.flatMap((agent) => {
      const free = freeOf(agent);
      if (!containsResources(free, wanted)) {
        this.#sinceMs.delete(agent.agentId);
        return [];
      }
      const forMs = nowMs - (this.#sinceMs.get(agent.agentId) ?? nowMs);
      this.#sinceMs.set(agent.agentId, nowMs - forMs);
      if (forMs <= hungryForMsMax) return [];
      const detail = `${agent.name} has ${formatResources(free)} free for ${forMs} ms, wanted: ${formatResources(wanted)}`;
      return [violation("offer-late", this.#framework, detail)];
    });
  }

  /** What comes next is not to be compared with what was. */
  interrupted(): void {
    this.#sinceMs.clear();
  }
}

function freeOf({ state, standing, total, allocated, offered }: AgentRecord): Resources {
  const isOffered =
    state === AgentState.AGENT_STATE_REGISTERED && standing <= AgentStanding.AGENT_STANDING_ACTIVE && total !== null;
  if (!isOffered) return noResources;
  return subtractResources(total, addResources(allocated ?? noResources, offered ?? noResources));
}
