import { MusterError } from "@muster/foundation";
import type { Core } from "../core.ts";
import { endFrameworkSession, settleEagerness } from "../framework-life.ts";
import { finishFramework } from "../frameworks.ts";
import type { Framework } from "../model.ts";
import { clearFilters, endOffer } from "../offers.ts";
import { dropHolds } from "../preemption/holds.ts";
import { forgetInverseOffers } from "./inverse-offers.ts";

/** The framework is over for ever: its session ends, its tasks are killed, its id is refused from now on. */
export function tearDown(core: Core, framework: Framework): void {
  const { state } = core;
  if (framework.state === "completed" || state.frameworks.get(framework.id) !== framework) return;
  for (const offer of [...framework.offers]) endOffer(core, offer, "rescinded: framework torn down");
  dropHolds(core, framework);
  clearFilters(core, framework);
  if (framework.deadline) state.timers.remove(framework.deadline);
  for (const session of [...state.frameworkSessions.values()])
    if (session.framework === framework) {
      const error = new MusterError("wrong-state", `framework ${framework.id} was torn down`, {
        field: "subscription.framework_id",
      });
      endFrameworkSession(core, session, error);
    }
  forgetInverseOffers(core, framework);
  framework.state = "disconnected";
  framework.connection = 0;
  framework.disconnectedAt = core.epochMs;
  settleEagerness(core, framework);
  finishFramework(core, framework, "framework over: it was torn down");
}
