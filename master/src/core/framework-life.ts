import type { MusterError } from "@muster/foundation";
import type { Core } from "./core.ts";
import { wantsMore } from "./demand-shapes.ts";
import type { Framework, FrameworkSession } from "./model.ts";

/** Whether each of its roles takes part in the sharing out. */
export function settleEagerness(core: Core, framework: Framework): void {
  const connected = framework.state === "connected";
  for (const [role, member] of framework.members) {
    const eager =
      connected && framework.roles.includes(role) && !framework.suppressed.has(role) && wantsMore(framework, role);
    core.state.allocator.setEager(member, eager);
  }
}

/** Starts the time after which a framework that is away is over. */
export function awaitFramework(core: Core, framework: Framework, forMs: number): void {
  if (framework.deadline) core.state.timers.remove(framework.deadline);
  framework.deadline = core.after(forMs, { type: "framework-deadline", framework });
}

/** A completed framework is kept until its last task has ended, for its resources are in use until then. */
export function forgetCompleted(core: Core, framework: Framework): void {
  if (framework.state !== "completed" || framework.liveCount > 0) return;
  const { state } = core;
  for (const task of [...framework.tasks.values(), ...framework.history.values()])
    core.event({ taskRemoved: { frameworkId: framework.id, taskId: task.id } });
  for (const task of framework.tasks.values()) task.group.agent.ended.delete(task);
  for (const member of framework.members.values()) {
    state.allocator.removeMember(member);
    state.changedRoles.add(member.role.name);
  }
  state.frameworks.delete(framework.id);
  state.changedFrameworks.delete(framework);
  core.event({ frameworkRemoved: framework.id });
}

export function endFrameworkSession(core: Core, session: FrameworkSession, error: MusterError | undefined): void {
  core.state.frameworkSessions.delete(session.connection);
  core.effects.push({ type: "end", connection: session.connection, error });
}
