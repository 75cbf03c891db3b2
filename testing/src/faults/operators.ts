import type { MasterHost } from "../cluster/master-host.ts";
import type { World } from "../world/world.ts";
import { insist } from "./insistence.ts";
import type { Affliction } from "./nemesis.ts";

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
      const { agentId } = agent;
      decide(agentId, lastsMs);
      // It is to be as any other again, for sure: also if its master is away just then.
      return () =>
        insist(world, master, {
          method: "Operator.Reactivate",
          request: () => ({ agentId, dryRun: false }),
          isPointless: () => !master.mayKnow(agentId),
        });
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
