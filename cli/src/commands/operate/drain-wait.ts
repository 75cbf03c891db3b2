import { type AgentRecord, AgentStanding } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import { type Client, message } from "../../connect/client.ts";
import { deadline, onInterrupt } from "../../connect/interrupt.ts";
import { exitCode } from "../../exit-codes.ts";
import type { Output } from "../../output/output.ts";
import { spanText } from "../../output/times.ts";
import { plural } from "./affected.ts";

export type DrainOutcome = "drained" | "gone" | "reactivated" | "timeout" | "interrupted";

/** Exit codes of the ways in which waiting ends. */
export const outcomeCodes: Readonly<Record<DrainOutcome, number>> = {
  drained: exitCode.done,
  gone: exitCode.done,
  reactivated: exitCode.failed,
  timeout: exitCode.timeout,
  interrupted: exitCode.interrupted,
};

/** How often the agent is asked for. */
const lookMs = 500;
/** A master that is restarted is back within seconds; its absence is no end of the drain. */
const absenceMsMax = 30_000;

interface DrainWait {
  readonly agentId: string;
  readonly name: string;
  readonly timeoutMs: number;
}

/** Follows a drain, with live progress, until it is over or patience ends. */
export async function waitForDrain(client: Client, out: Output, wait: DrainWait): Promise<DrainOutcome> {
  const interrupt = onInterrupt();
  const limit = deadline(wait.timeoutMs);
  const over = Promise.race([interrupt.interrupted, limit.passed]);
  let told = "";
  let awaySinceMs: number | undefined;
  try {
    for (;;) {
      const looked = await look(client, wait.agentId);
      if (looked.away) {
        awaySinceMs ??= Date.now();
        if (Date.now() - awaySinceMs > absenceMsMax) throw looked.away;
      } else {
        awaySinceMs = undefined;
        const outcome = outcomeOf(looked.agent);
        if (outcome) return outcome;
        const text = progressText(wait.name, looked.agent as AgentRecord);
        out.redraw(text);
        if (!out.talksToTerminal && text !== told) out.say(text);
        told = text;
      }
      const first = await Promise.race([over, pause(lookMs)]);
      if (first) return first;
    }
  } finally {
    interrupt.release();
    limit.release();
    out.redraw("");
  }
}

async function look(client: Client, agentId: string): Promise<{ agent: AgentRecord | undefined; away?: Error }> {
  try {
    const { agents } = await client.call("Operator.ListAgents", message("ListAgentsRequest", { prefix: agentId }));
    return { agent: agents.find((agent) => agent.agentId === agentId) };
  } catch (error) {
    const failure = toCliError(error);
    if (failure.kind !== "unavailable") throw error;
    return { agent: undefined, away: failure };
  }
}

function outcomeOf(agent: AgentRecord | undefined): DrainOutcome | undefined {
  if (agent === undefined) return "gone";
  if (agent.standing === AgentStanding.AGENT_STANDING_DRAINED) return "drained";
  return agent.standing === AgentStanding.AGENT_STANDING_DRAINING ? undefined : "reactivated";
}

/** "a6: 3 tasks left, 1 end not acknowledged; deadline in 12m". */
export function progressText(name: string, { drain }: AgentRecord, nowMs = Date.now()): string {
  const { tasksLeft = 0, endsUnacknowledged = 0, deadlineAt = 0, forced = false } = drain ?? {};
  const ends = endsUnacknowledged === 0 ? "" : `, ${plural(endsUnacknowledged, "end")} not acknowledged`;
  const when = forced ? "the deadline has passed" : `deadline in ${spanText(Math.max(0, deadlineAt - nowMs))}`;
  return `${name}: ${plural(tasksLeft, "task")} left${ends}; ${when}`;
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}
