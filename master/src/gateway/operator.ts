import type { Clock, Outlet } from "@muster/foundation";
import type { GetMasterResponse, SnapshotResponse } from "@muster/proto";
import type { MasterConfig } from "../config.ts";
import { overlayRecords } from "../core/overlay/overlays.ts";
import { agentRecord, frameworkRecord, offerRecord } from "../core/records.ts";
import { snapshotPartRecords, snapshotRecords } from "../feeds/snapshot.ts";
import type { Loop } from "../loop.ts";
import { checkState } from "./check.ts";
import { serveDecisions } from "./decisions.ts";
import type { MasterHandlers } from "./guard.ts";
import { serveReservations } from "./reservations.ts";
import type { ServedMethod } from "./rights.ts";
import { serveRoles } from "./roles.ts";

type OperatorHandlers = Pick<MasterHandlers, Extract<ServedMethod, `Operator.${string}`>>;

/** What operators look at and steer. */
export function serveOperator(
  loop: () => Loop,
  config: MasterConfig,
  clock: Clock,
  leadingSince: () => number,
): OperatorHandlers {
  const state = () => loop().core.state;
  const masterFacts = (): GetMasterResponse => {
    const { clusterId, epoch, awaited } = state();
    const { address, version, pid } = config;
    const agentsAwaited = [...awaited].map((agent) => agent.id);
    return { clusterId, epoch, address, version, leadingSince: leadingSince(), pid, agentsAwaited };
  };
  return {
    "Operator.ListAgents": ({ prefix }, _peer, respond) => {
      const agents = [...state().agents.values()]
        .filter((agent) => agent.id.startsWith(prefix) || agent.name.startsWith(prefix))
        .sort((a, b) => compare(a.name, b.name) || compare(a.id, b.id))
        .map(agentRecord);
      respond({ ok: true, value: { agents } });
      return undefined;
    },
    "Operator.ListFrameworks": (_request, _peer, respond) => {
      const frameworks = [...state().frameworks.values()]
        .sort((a, b) => compare(a.name, b.name) || compare(a.id, b.id))
        .map(frameworkRecord);
      respond({ ok: true, value: { frameworks } });
      return undefined;
    },
    "Operator.ListOffers": (_request, _peer, respond) => {
      respond({ ok: true, value: { offers: [...state().offers.values()].map(offerRecord) } });
      return undefined;
    },
    "Operator.ListOverlays": (_request, _peer, respond) => {
      respond({ ok: true, value: { overlays: overlayRecords(state()) } });
      return undefined;
    },
    "Operator.GetMaster": (_request, _peer, respond) => {
      respond({ ok: true, value: masterFacts() });
      return undefined;
    },
    "Operator.Check": (_request, _peer, respond) => checkState(loop(), clock, respond),
    "Operator.Snapshot": (_request, outlet) => sendSnapshot(loop(), outlet, clock, masterFacts()),
    ...serveRoles(loop, clock),
    ...serveReservations(loop),
    ...serveDecisions(loop),
  };
}

/** Part by part, each in a tick of its own, and only as fast as it is read. */
function sendSnapshot(loop: Loop, outlet: Outlet<SnapshotResponse>, clock: Clock, master: GetMasterResponse) {
  const { state } = loop.core;
  const records = snapshotRecords(state, () => true);
  const first = { overlays: overlayRecords(state), maintenance: [...state.maintenance], master };
  let isFirst = true;
  let over = false;
  let pending = false;
  const next = (): void => {
    pending = false;
    if (over || !outlet.ready()) return;
    const heading = isFirst ? first : { overlays: [], maintenance: [], master: null };
    const part: SnapshotResponse = { agents: [], frameworks: [], tasks: [], offers: [], ...heading };
    let count = 0;
    let complete = false;
    while (count < snapshotPartRecords && !complete) {
      const { value, done } = records.next();
      if (done) complete = true;
      else {
        count++;
        if (value.agent) part.agents.push(value.agent);
        if (value.framework) part.frameworks.push(value.framework);
        if (value.task) part.tasks.push(value.task);
        if (value.offer) part.offers.push(value.offer);
      }
    }
    if (count > 0) outlet.send(part);
    isFirst = false;
    if (complete) {
      over = true;
      outlet.end();
    } else schedule();
  };
  const schedule = (): void => {
    if (pending || over) return;
    pending = true;
    clock.after(0, next);
  };
  schedule();
  return {
    receive: () => {},
    drained: schedule,
    closed: () => {
      over = true;
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
