import type { EventsRequest, WatchEvent } from "@muster/proto";
import { isWithin } from "../checkers/role-names.ts";
import type { EventSubject } from "../core/effects.ts";
import { Agent, Framework, Offer, Task } from "../core/model.ts";

/** What a reader of the feed wants to be told of; empty texts let everything pass. */
export type FeedFilter = Pick<EventsRequest, "frameworkId" | "agentId" | "role">;

/** Whom a change is about, as far as it has such a thing and says so. */
interface Place {
  readonly frameworkId?: string;
  readonly agentId?: string;
  readonly role?: string;
}

/** What is told of, or the record of it. */
type Subject = Task | EventSubject | Omit<WatchEvent, "sequence">;

/** Whether a change is to be told: it is of that framework, agent and role wherever it names such. O(1). */
export function passes({ frameworkId, agentId, role }: FeedFilter, subject: Subject): boolean {
  if (frameworkId === "" && agentId === "" && role === "") return true;
  const place = placeOf(subject);
  return (
    (frameworkId === "" || place.frameworkId === undefined || place.frameworkId === frameworkId) &&
    (agentId === "" || place.agentId === undefined || place.agentId === agentId) &&
    (role === "" || place.role === undefined || isWithin(place.role, role))
  );
}

/** Ends of offers name the offer alone: they are told to all, and say nothing to who has not heard of it. */
function placeOf(subject: Subject): Place {
  if (subject instanceof Task) {
    const { framework, agent, member } = subject.group;
    return { frameworkId: framework.id, agentId: agent.id, role: member.role.name };
  }
  if (subject instanceof Offer)
    return { frameworkId: subject.framework.id, agentId: subject.agent.id, role: subject.role };
  if (subject instanceof Agent) return { agentId: subject.id };
  if (subject instanceof Framework) return { frameworkId: subject.id };
  return placeOfRecord(subject);
}

function placeOfRecord(subject: Omit<WatchEvent, "sequence">): Place {
  const { task, taskRemoved, offer, operation, agent, agentRemoved, framework, frameworkRemoved } = subject;
  const whole = task ?? offer ?? operation;
  if (whole) return { frameworkId: whole.frameworkId, agentId: whole.agentId, role: whole.role };
  if (taskRemoved) return { frameworkId: taskRemoved.frameworkId };
  const agentId = agent?.agentId ?? agentRemoved;
  if (agentId !== undefined) return { agentId };
  const frameworkId = framework?.frameworkId ?? frameworkRemoved;
  if (frameworkId !== undefined) return { frameworkId };
  const role = subject.role?.role ?? subject.roleRemoved;
  return role === undefined ? {} : { role };
}
