import type { Clock, Result } from "@muster/foundation";
import type { CheckResponse } from "@muster/proto";
import { checkers } from "../checkers/checkers.ts";
import { limitsKept } from "../checkers/quota.ts";
import type { MasterView, Violation } from "../checkers/view.ts";
import type { Agent } from "../core/model.ts";
import { agentRecord, offerRecord, roleRecord, taskRecord } from "../core/records.ts";
import type { Loop } from "../loop.ts";

/** Violations in one answer; what comes after them is counted by nobody: something is very wrong. */
const violationsMax = 1_000;
/** What does not hold is looked at again after so long: news of an end may have been on its way. */
const confirmMs = 2_000;
/** Tasks and agents that one slice looks at; then others get their turn. */
const sliceRecords = 2_000;

/**
 * Runs the checkers of the simulation on a serving master: each agent with all that is on it at one moment, a bounded
 * number of records between two turns of the loop, and then the limits of roles. O(agents + tasks + offers) in all.
 */
export function checkState(loop: Loop, clock: Clock, respond: (result: Result<CheckResponse>) => void): () => void {
  const answer: CheckResponse = { violations: [], agentCount: 0, taskCount: 0 };
  const ids = [...loop.core.state.agents.keys()];
  let next = 0;
  let isOver = false;
  /** What was only on its way is not there any more after a while. */
  const confirm = (): void => {
    if (answer.violations.length === 0) {
      respond({ ok: true, value: answer });
      return;
    }
    clock.after(confirmMs, () => {
      if (isOver) return;
      const still = new Set([...new Set(answer.violations.map(({ subjectId }) => subjectId))].flatMap(textsOf));
      answer.violations = answer.violations.filter((found) => still.has(textOf(found)));
      respond({ ok: true, value: answer });
    });
  };
  const textsOf = (subjectId: string): string[] => {
    const agent = loop.core.state.agents.get(subjectId);
    return (agent === undefined ? limitViolations(loop) : violationsOn(viewOf(agent))).map(textOf);
  };
  const slice = (): void => {
    if (isOver) return;
    for (let looked = 0; next < ids.length && looked < sliceRecords; next++) {
      const agent = loop.core.state.agents.get(ids[next] ?? "");
      if (agent === undefined) continue;
      const view = viewOf(agent);
      answer.agentCount++;
      answer.taskCount += view.tasks.length;
      looked += 1 + view.tasks.length;
      answer.violations.push(...violationsOn(view).slice(0, violationsMax - answer.violations.length));
    }
    if (next < ids.length) clock.after(0, slice);
    else {
      answer.violations.push(...limitViolations(loop).slice(0, violationsMax - answer.violations.length));
      confirm();
    }
  };
  clock.after(0, slice);
  return () => {
    isOver = true;
  };
}

function violationsOn(view: MasterView): CheckResponse["violations"] {
  return checkers.flatMap((check) => check(view).map(inAnswer));
}

/** What is asked of roles, which have something on many agents. O(roles with a limit x offers). */
function limitViolations({ core }: Loop): CheckResponse["violations"] {
  const { allocator, offers } = core.state;
  if (!allocator.hasQuota) return [];
  allocator.settle();
  const limited = [...allocator.roles.values()].filter(({ quota }) => quota !== undefined);
  const roles = limited.map((role) => roleRecord(role));
  const view = { agents: [], tasks: [], overlays: [], roles, offers: [...offers.values()].map(offerRecord) };
  return limitsKept(view).map(inAnswer);
}

function inAnswer({ rule, subject, detail }: Violation): CheckResponse["violations"][number] {
  return { rule, subjectId: subject, detail };
}

/** Of one agent a rule is broken or not: what exactly was seen may change from look to look. */
function textOf({ rule, subjectId }: { rule: string; subjectId: string }): string {
  return `${rule} ${subjectId}`;
}

function viewOf(agent: Agent): MasterView {
  return {
    agents: [agentRecord(agent)],
    tasks: [...agent.tasks].map((task) => taskRecord(task)),
    offers: [...agent.offers].map(offerRecord),
    overlays: [],
    roles: [],
  };
}
