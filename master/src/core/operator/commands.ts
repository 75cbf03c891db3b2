import { invalid, MusterError } from "@muster/foundation";
import type { Affected, MaintenanceWindow } from "@muster/proto";
import { encodeMaintenance, maintenanceKey } from "../../registry/maintenance.ts";
import { encodeFramework, frameworkKey } from "../../registry/records.ts";
import { encodeStanding, standingKey } from "../../registry/standings.ts";
import type { Core } from "../core.ts";
import { limits } from "../limits.ts";
import type { Agent, Framework } from "../model.ts";
import { affectedBy, nothingAffected } from "./affected.ts";
import { applyDecision } from "./decisions.ts";
import { applyPlan, planFault, upcoming } from "./maintenance.ts";
import type { Decision } from "./standing.ts";
import { tearDown } from "./teardown.ts";

/** How long to wait before the store is asked again. */
const storeRetryMs = 1_000;

/** What operators ask for. With `dryRun` they are told what it would befall, and nothing is done. */
export type OperatorCommand = { readonly dryRun: boolean } & (
  | { readonly type: "deactivate"; readonly agentId: string }
  | { readonly type: "reactivate"; readonly agentId: string }
  | { readonly type: "mark-gone"; readonly agentId: string }
  | {
      readonly type: "drain";
      readonly agentId: string;
      readonly deadlineMs: number;
      readonly graceMsMax: number | undefined;
      readonly markGone: boolean;
    }
  | { readonly type: "tear-down"; readonly frameworkId: string }
  | {
      readonly type: "maintenance";
      readonly windows: readonly MaintenanceWindow[];
      /** Only if the plan is still of this version. */
      readonly version: number | undefined;
    }
);

/** What a command comes to, once the store has it. */
export type OperatorChange =
  | { readonly type: "decision"; readonly agentId: string; readonly decision: Decision | undefined }
  | { readonly type: "tear-down"; readonly framework: Framework }
  | { readonly type: "maintenance"; readonly windows: readonly MaintenanceWindow[] };

/** Takes an operator's call: refuses it, or writes it to the registry; it is done as soon as it stands there. */
export function takeCommand(core: Core, call: number, command: OperatorCommand): void {
  const outcome = ask(core, command);
  if (outcome instanceof MusterError) {
    core.answer(call, { ok: false, error: outcome });
    return;
  }
  const { affected, change } = outcome;
  if (command.dryRun || change === undefined) core.answer(call, { ok: true, value: affected });
  else storeChange(core, call, change, affected);
}

function ask(core: Core, command: OperatorCommand): Outcome | MusterError {
  if (command.type === "tear-down") return askTearDown(core, command.frameworkId);
  if (command.type === "maintenance") return askMaintenance(core, command.windows, command.version);
  return askDecision(core, command);
}

interface Outcome {
  readonly affected: Affected;
  /** Undefined: all is as wanted already. */
  readonly change: OperatorChange | undefined;
}

function askTearDown(core: Core, frameworkId: string): Outcome | MusterError {
  const framework = core.state.frameworks.get(frameworkId);
  if (framework !== undefined && framework.state !== "completed") {
    const tasks = [...framework.tasks.values()];
    return { affected: affectedBy(tasks, framework.offers.size), change: { type: "tear-down", framework } };
  }
  if (framework !== undefined || core.state.completed.has(frameworkId))
    return { affected: nothingAffected, change: undefined };
  return new MusterError("not-found", `no framework ${frameworkId}`, { field: "framework_id" });
}

function askMaintenance(
  core: Core,
  windows: readonly MaintenanceWindow[],
  version: number | undefined,
): Outcome | MusterError {
  const { state } = core;
  if (version !== undefined && version !== state.maintenanceVersion)
    return new MusterError("stale", `the plan is of version ${state.maintenanceVersion}`, { field: "version" });
  const fault = planFault(windows, core.epochMs);
  if (fault) return fault;
  const planned = new Set([...windows, ...state.maintenance].map(({ agentId }) => agentId));
  const agents = [...planned].flatMap((agentId) => state.agents.get(agentId) ?? []);
  const offerCount = agents.reduce((sum, agent) => sum + agent.offers.size, 0);
  const affected = affectedBy(
    agents.flatMap((agent) => [...agent.tasks]),
    offerCount,
  );
  return { affected, change: { type: "maintenance", windows } };
}

function askDecision(core: Core, command: Extract<OperatorCommand, { agentId: string }>): Outcome | MusterError {
  const { state } = core;
  const { agentId } = command;
  const agent = state.agents.get(agentId);
  const standing = state.standings.get(agentId);
  if (state.deciding.has(agentId))
    return new MusterError("unavailable", `another decision about agent ${agentId} is being written`, {
      retryAfterMs: 200,
    });
  if (state.gone.has(agentId)) {
    if (command.type === "mark-gone") return { affected: nothingAffected, change: undefined };
    return new MusterError("wrong-state", `agent ${agentId} is gone for ever`, { field: "agent_id" });
  }
  const change = (decision: Decision | undefined): OperatorChange => ({ type: "decision", agentId, decision });
  if (command.type === "reactivate") {
    if (agent === undefined && standing === undefined) return unknownAgent(agentId);
    return { affected: nothingAffected, change: standing === undefined ? undefined : change(undefined) };
  }
  if (agent === undefined) return unknownAgent(agentId);
  if (standing === undefined && state.standings.size >= limits.agentStandings)
    return new MusterError("too-many", `at most ${limits.agentStandings} agents may be deactivated or drained`);
  const affected = affectedBy(agent.tasks, agent.offers.size);
  const since = core.epochMs;
  if (command.type === "mark-gone") return { affected, change: change({ name: "gone", since }) };
  if (command.type === "drain") return askDrain(core, agent, command, affected);
  if (standing?.name === "draining")
    return new MusterError("wrong-state", `agent ${agentId} is being drained: reactivate it to end that`, {
      field: "agent_id",
    });
  return { affected, change: standing === undefined ? change({ name: "deactivated", since }) : undefined };
}

function askDrain(
  core: Core,
  agent: Agent,
  command: Extract<OperatorCommand, { type: "drain" }>,
  affected: Affected,
): Outcome | MusterError {
  const { deadlineMs, graceMsMax, markGone } = command;
  if (!(deadlineMs <= limits.drainDeadlineMs))
    return invalid("deadline_ms", `must be at most ${limits.drainDeadlineMs}`);
  if (graceMsMax !== undefined && !(graceMsMax <= limits.drainDeadlineMs))
    return invalid("grace_ms_max", `must be at most ${limits.drainDeadlineMs}`);
  const { standing } = agent;
  if (standing?.name === "drained" && !markGone) return { affected, change: undefined };
  // Asked again it goes by the new deadline, and has been draining since it began.
  const since = standing?.name === "draining" ? standing.since : core.epochMs;
  const deadlineAt = core.epochMs + deadlineMs;
  const decision: Decision = { name: "draining", since, deadlineAt, graceMsMax, markGone };
  return { affected, change: { type: "decision", agentId: agent.id, decision } };
}

function unknownAgent(agentId: string): MusterError {
  return new MusterError("not-found", `no agent ${agentId}`, { field: "agent_id" });
}

/** Writes a change; nothing is done before the store has it. Call 0: nobody waits for the answer. */
export function storeChange(core: Core, call: number, change: OperatorChange, affected: Affected): void {
  const written = (error: MusterError | undefined) =>
    ({ type: "operator-stored", call, change, affected, error }) as const;
  if (change.type === "tear-down") {
    const { framework } = change;
    const value = encodeFramework(framework, core.epochMs);
    core.effects.push({ type: "store", key: frameworkKey(framework.id), value, written });
    return;
  }
  if (change.type === "maintenance") {
    // The next plan is compared with this one even before the store has it.
    core.state.maintenanceVersion++;
    const value = encodeMaintenance(upcoming(change.windows, core.epochMs));
    core.effects.push({ type: "store", key: maintenanceKey, value, written });
    return;
  }
  const { agentId, decision } = change;
  const agentName = core.state.agents.get(agentId)?.name ?? "";
  core.state.deciding.add(agentId);
  const value = decision && encodeStanding({ agentId, agentName, decision });
  core.effects.push({ type: "store", key: standingKey(agentId), value, written });
}

/** The store has the change, or does not answer. */
export function changeStored(
  core: Core,
  call: number,
  change: OperatorChange,
  affected: Affected,
  error: MusterError | undefined,
): void {
  if (change.type === "decision") core.state.deciding.delete(change.agentId);
  if (error && call === 0 && change.type === "decision") {
    core.state.deciding.add(change.agentId);
    core.after(storeRetryMs, { type: "decision-retry", agentId: change.agentId });
    return;
  }
  if (error && call === 0 && change.type === "tear-down") {
    const { framework } = change;
    core.refuse(framework, "teardown", framework.id, "unavailable", "the store does not answer: say it again");
    return;
  }
  if (error) {
    const details = { retryAfterMs: storeRetryMs, cause: error };
    core.answer(call, { ok: false, error: new MusterError("unavailable", "the store does not answer", details) });
    return;
  }
  if (change.type === "decision") applyDecision(core, change.agentId, change.decision);
  else if (change.type === "maintenance") applyPlan(core, change.windows);
  else tearDown(core, change.framework);
  core.answer(call, { ok: true, value: affected });
}
