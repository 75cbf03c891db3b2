import { type Random, randomInt, resources } from "@muster/foundation";
import { AgentState } from "@muster/proto";
import type { AgentHost } from "../cluster/agent-host.ts";
import type { MasterHost } from "../cluster/master-host.ts";
import type { World } from "../world/world.ts";
import { insist } from "./insistence.ts";
import type { Affliction } from "./nemesis.ts";

/** What operators decide about. */
export interface Ruled {
  readonly world: World;
  readonly master: MasterHost;
  readonly hosts: readonly AgentHost[];
  readonly roles: readonly string[];
  /** Told of each host that is given up, before its agent hears of it. */
  readonly onGivenUp: (host: string) => void;
  /** Names of frameworks that may be ended for ever: they begin anew, as other ones. */
  readonly frameworks: readonly string[];
}

const weightMillisDefault = 1_000;
const maintenanceMsMax = 20_000;
const replacedMsMax = 3_000;

/**
 * Decisions of operators beside deactivation and drain: agents given up and replaced by new machines, maintenance,
 * frameworks torn down, quotas and weights changed. What lasts is taken back, whatever befalls the master meanwhile.
 */
export function rulingAfflictions(ruled: Ruled): Affliction[] {
  const random = ruled.world.random("rulings");
  return [
    ...(ruled.frameworks.length > 0 ? [tearDown(ruled, random)] : []),
    ...(ruled.roles.length > 0 ? [changeQuota(ruled, random), changeWeight(ruled, random)] : []),
    planMaintenance(ruled, random),
    giveUpAgent(ruled, random),
  ];
}

/** The machine is given up, and later another one takes its place. */
function giveUpAgent({ world, master, hosts, onGivenUp }: Ruled, random: Random): Affliction {
  return {
    fault: "gone",
    component: "agent",
    inflict: () => {
      const agents = master.view()?.agents ?? [];
      const agent = agents[randomInt(random, Math.max(1, agents.length))];
      const host = hosts.find(({ name }) => name === agent?.name);
      // Of one that is gone already another machine may have the name by now.
      if (agent === undefined || host === undefined || agent.state === AgentState.AGENT_STATE_GONE) return false;
      const { agentId } = agent;
      const { machineNumber } = host;
      let isDecided = false;
      let isReplaced = false;
      const replace = (): void => {
        // It may have been given up twice: the machine that has taken its place has not.
        const isStillThere = host.machineNumber === machineNumber;
        if (isDecided && isReplaced && isStillThere) host.replace(random.next() * replacedMsMax);
      };
      const call = {
        method: "Operator.MarkGone" as const,
        request: () => ({ agentId, dryRun: false }),
        isPointless: () => !master.mayKnow(agentId),
      };
      onGivenUp(host.name);
      insist(world, master, call, () => {
        isDecided = true;
        replace();
      });
      return () => {
        isReplaced = true;
        replace();
      };
    },
  };
}

function planMaintenance({ world, master }: Ruled, random: Random): Affliction {
  return {
    fault: "maintenance",
    component: "agent",
    cutsOff: [],
    inflict: () => {
      const agents = master.view()?.agents ?? [];
      const agent = agents[randomInt(random, Math.max(1, agents.length))];
      if (agent === undefined) return false;
      const startAt = world.epochMs + randomInt(random, maintenanceMsMax);
      const windows = [{ agentId: agent.agentId, startAt, durationMs: 1 + randomInt(random, maintenanceMsMax) }];
      master.operate("Operator.SetMaintenance", { windows, dryRun: false }, () => {});
      return () =>
        insist(world, master, {
          method: "Operator.SetMaintenance",
          request: () => ({ windows: [], dryRun: false }),
        });
    },
  };
}

function tearDown({ world, master, frameworks }: Ruled, random: Random): Affliction {
  return {
    fault: "teardown",
    component: "framework",
    cutsOff: [],
    inflict: () => {
      const name = frameworks[randomInt(random, frameworks.length)];
      const frameworkId = master.frameworkIdOf(name ?? "");
      if (frameworkId === undefined) return false;
      insist(world, master, {
        method: "Operator.TeardownFramework",
        request: () => ({ frameworkId, dryRun: false }),
        isPointless: () => master.view() !== undefined,
      });
      return true;
    },
  };
}

function changeQuota({ world, master, roles }: Ruled, random: Random): Affliction {
  return {
    fault: "quota",
    component: "role",
    cutsOff: [],
    inflict: () => {
      const role = roles[randomInt(random, roles.length)] ?? "";
      const amounts = () =>
        resources({ cpuMillis: 100 * randomInt(random, 20), memoryMiB: 64 * randomInt(random, 20) });
      const guarantee = random.next() < 0.5 ? amounts() : null;
      const limit = random.next() < 0.7 ? amounts() : null;
      const request = { role, guarantee, limit, limitedToNone: [], force: true, dryRun: false };
      master.operate("Operator.SetQuota", request, () => {});
      const none = { role, guarantee: null, limit: null, limitedToNone: [], force: true, dryRun: false };
      return () => insist(world, master, { method: "Operator.SetQuota", request: () => none });
    },
  };
}

function changeWeight({ world, master, roles }: Ruled, random: Random): Affliction {
  return {
    fault: "weight",
    component: "role",
    cutsOff: [],
    inflict: () => {
      const role = roles[randomInt(random, roles.length)] ?? "";
      const weightMillis = Math.max(1, Math.round(weightMillisDefault * 10 ** (4 * random.next() - 2)));
      master.operate("Operator.SetWeight", { role, weightMillis, dryRun: false }, () => {});
      const usual = { role, weightMillis: weightMillisDefault, dryRun: false };
      return () => insist(world, master, { method: "Operator.SetWeight", request: () => usual });
    },
  };
}
