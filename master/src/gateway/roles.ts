import { type Clock, invalid, MusterError, type Resources, resources } from "@muster/foundation";
import type { ForeseeRoomRequest, SetQuotaRequest } from "@muster/proto";
import { type Bound, noBound } from "../allocator/bound.ts";
import { explainRole } from "../core/explain.ts";
import { limits } from "../core/limits.ts";
import { foreseeRoom, instancesForeseenMax } from "../core/preemption/foresee.ts";
import { roleRecord } from "../core/records.ts";
import { resourcesFault } from "../core/validate.ts";
import type { Loop } from "../loop.ts";
import type { MasterHandlers } from "./guard.ts";

type RoleHandlers = Pick<
  MasterHandlers,
  "Operator.ListRoles" | "Operator.SetWeight" | "Operator.SetQuota" | "Operator.ExplainRole" | "Operator.ForeseeRoom"
>;

/** Names that may stand in `limited_to_none` in one request. */
const namesMax = 64;

function foreseeFault({ count, agentIds, resources: amounts }: ForeseeRoomRequest): MusterError | undefined {
  if (count < 1 || count > instancesForeseenMax) return invalid("count", `must be 1 to ${instancesForeseenMax}`);
  if (amounts === null) return invalid("resources", "must be given");
  if (agentIds.length > limits.agentsPerDemand)
    return invalid("agent_ids", `must be at most ${limits.agentsPerDemand}`);
  return resourcesFault("resources", amounts);
}

/** Roles, and what operators say of them. Changes are answered when the registry has them. */
export function serveRoles(loop: () => Loop, clock: Clock): RoleHandlers {
  return {
    "Operator.ListRoles": (_request, _peer, respond) => {
      const { allocator } = loop().core.state;
      allocator.settle();
      const roles = [...allocator.roles.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((role) => roleRecord(role));
      respond({ ok: true, value: { roles } });
      return undefined;
    },
    "Operator.ExplainRole": ({ role: name }, _peer, respond) => {
      const { core } = loop();
      core.begin({ monotonicMs: clock.monotonicMs(), epochMs: clock.epochMs() });
      const role = core.state.allocator.roles.get(name);
      if (role === undefined)
        respond({ ok: false, error: new MusterError("not-found", `no role "${name}": no framework works for it`) });
      else respond({ ok: true, value: explainRole(core, role) });
      return undefined;
    },
    "Operator.ForeseeRoom": (request, _peer, respond) => {
      const { core } = loop();
      core.begin({ monotonicMs: clock.monotonicMs(), epochMs: clock.epochMs() });
      const wrong = foreseeFault(request);
      respond(wrong ? { ok: false, error: wrong } : { ok: true, value: foreseeRoom(core, request) });
      return undefined;
    },
    "Operator.SetWeight": ({ role, weightMillis, dryRun }, _peer, respond) => {
      loop().post({
        type: "role-called",
        call: {
          change: { type: "weight", role, weightMillis },
          isDryRun: dryRun,
          respond: (result) =>
            respond(result.ok ? { ok: true, value: { weightMillisBefore: result.value.weightMillisBefore } } : result),
        },
      });
      return undefined;
    },
    "Operator.SetQuota": (request, _peer, respond) => {
      const limit = readLimit(request);
      if ("kind" in limit) {
        respond({ ok: false, error: limit });
        return undefined;
      }
      const { role, force, dryRun } = request;
      const guarantee = resources(request.guarantee);
      loop().post({
        type: "role-called",
        call: {
          change: { type: "quota", role, guarantee: withoutZeroes(guarantee), limit, force },
          isDryRun: dryRun,
          respond: (result) =>
            respond(
              result.ok
                ? {
                    ok: true,
                    value: { offersRescinded: result.value.offersRescinded, allocated: result.value.allocated },
                  }
                : result,
            ),
        },
      });
      return undefined;
    },
  };
}

function withoutZeroes(amounts: Resources): Resources {
  const custom: Record<string, number> = {};
  for (const name in amounts.custom) if (amounts.custom[name] !== 0) custom[name] = amounts.custom[name] ?? 0;
  return { ...amounts, custom };
}

/** The bound that a request means: 0 is none, unless the name says that nothing may be had. */
function readLimit({ limit, limitedToNone }: SetQuotaRequest): Bound | MusterError {
  const fault = resourcesFault("limit", limit);
  if (fault) return fault;
  if (limitedToNone.length > namesMax) return invalid("limited_to_none", `must be at most ${namesMax}`);
  const amounts = withoutZeroes(resources(limit));
  const none = new Set(limitedToNone);
  const bound = (name: string, most: number): number => {
    if (none.delete(name)) return 0;
    return most === 0 ? Number.POSITIVE_INFINITY : most;
  };
  const known = {
    cpuMillis: bound("cpu", amounts.cpuMillis),
    memoryMiB: bound("memory", amounts.memoryMiB),
    diskMiB: bound("disk", amounts.diskMiB),
    portCount: bound("ports", amounts.portCount),
  };
  const custom: Record<string, number> = { ...amounts.custom };
  for (const name of none) {
    if (name === "" || name.length > 255) return invalid("limited_to_none", "must be names of 1 to 255 characters");
    custom[name] = 0;
  }
  const isBounded = Object.values(known).some(Number.isFinite) || Object.keys(custom).length > 0;
  return isBounded ? { ...known, custom } : noBound;
}
