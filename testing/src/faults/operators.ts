import type { Cancel } from "@muster/foundation";
import type { MasterHost } from "../cluster/master-host.ts";
import type { World } from "../world/world.ts";
import type { Affliction } from "./nemesis.ts";

/** A call that could not be made is made again after so long: operators do not give up. */
const againMs = 1_000;
const graceMsMax = 5_000;

/** What operators do to a cluster: agents are deactivated and drained for a while, whatever else befalls it meanwhile. */
export function operatorAfflictions(world: World, master: MasterHost): Affliction[] {
  const random = world.random("operators");
  const of = (fault: string, decide: (agentId: string, lastsMs: number) => void): Affliction => ({
    fault,
    component: "agent",
    cutsOff: [],
    inflict: (lastsMs) => {
      const agents = master.view()?.agents ?? [];
      const agent = agents[Math.floor(random.next() * agents.length)];
      if (agent === undefined) return false;
      decide(agent.agentId, lastsMs);
      return reactivation(world, master, agent.agentId);
    },
  });
  return [
    of("deactivate", (agentId) => master.operate("Operator.Deactivate", { agentId, dryRun: false }, () => {})),
    of("drain", (agentId, lastsMs) => {
      const request = {
        agentId,
        deadlineMs: Math.floor(random.next() * lastsMs),
        graceMsMax,
        markGone: false,
        dryRun: false,
      };
      master.operate("Operator.Drain", request, () => {});
    }),
  ];
}

/** The agent is to be as any other again, for sure: also if its master is away just then. */
function reactivation(world: World, master: MasterHost, agentId: string): Cancel {
  const reactivate = (): void =>
    master.operate("Operator.Reactivate", { agentId, dryRun: false }, (isDone) => {
      if (isDone || !master.mayKnow(agentId)) return;
      world.after(undefined, againMs, "reactivate", reactivate);
    });
  return reactivate;
}
