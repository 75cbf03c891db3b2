import type { AgentRecord, Resources } from "@muster/proto";
import type { Cluster } from "./cluster.ts";
import { formatCount } from "./format.ts";
import { taskRow } from "./task-rows.ts";
import { agentWord, type Word } from "./words.ts";

/** Sums of one resource. */
export interface Sum {
  readonly total: number;
  readonly allocated: number;
  readonly offered: number;
}

/** Something that somebody may have to look after. */
export interface Trouble {
  readonly text: string;
  readonly tone: "bad" | "warn";
  /** Filter that lists the tasks concerned; undefined if it is not about tasks. */
  readonly filter: string | undefined;
}

export interface Overview {
  readonly agentCount: number;
  /** How many agents are in each state, most first. */
  readonly agentStates: readonly { readonly state: Word; readonly count: number }[];
  readonly cpuMillis: Sum;
  readonly memoryMiB: Sum;
  /** How many tasks are in each state, most first. */
  readonly states: readonly { readonly state: Word; readonly count: number }[];
  readonly taskCount: number;
  readonly troubles: readonly Trouble[];
}

/** The cluster at a glance, what is wrong first. O(agents + tasks). */
export function overviewOf(cluster: Cluster): Overview {
  const agents = [...cluster.agents.values()];
  const registered = agents.filter(({ state }) => agentWord(state).tone === "good");
  const rows = [...cluster.tasks.values()].map(taskRow);
  let unhealthy = 0;
  for (const { health, terminal } of rows) if (!terminal && health.tone === "bad") unhealthy += 1;
  const states = countBy(rows, ({ state }) => state);
  return {
    agentCount: agents.length,
    agentStates: countBy(agents, ({ state }) => agentWord(state)),
    cpuMillis: sumOf(registered, (amounts) => amounts.cpuMillis),
    memoryMiB: sumOf(registered, (amounts) => amounts.memoryMiB),
    states,
    taskCount: cluster.tasks.size,
    troubles: troublesOf(cluster, agents, states, unhealthy),
  };
}

function countBy<T>(items: readonly T[], wordOf: (item: T) => Word): Overview["states"] {
  const counts = new Map<Word, number>();
  for (const item of items) counts.set(wordOf(item), (counts.get(wordOf(item)) ?? 0) + 1);
  return [...counts].map(([state, count]) => ({ state, count })).sort((a, b) => b.count - a.count);
}

function sumOf(agents: readonly AgentRecord[], amount: (resources: Resources) => number): Sum {
  const sum = { total: 0, allocated: 0, offered: 0 };
  for (const { total, allocated, offered } of agents) {
    if (total) sum.total += amount(total);
    if (allocated) sum.allocated += amount(allocated);
    if (offered) sum.offered += amount(offered);
  }
  return sum;
}

function troublesOf(
  cluster: Cluster,
  agents: readonly AgentRecord[],
  states: Overview["states"],
  unhealthy: number,
): Trouble[] {
  const troubles: Trouble[] = [];
  for (const wanted of ["unreachable", "gone", "disconnected"]) {
    const names = agents.filter(({ state }) => agentWord(state).word === wanted).map(({ name }) => name);
    if (names.length > 0) {
      const tone = wanted === "disconnected" ? "warn" : "bad";
      troubles.push({
        text: `${formatCount(names.length, "agent")} ${wanted}: ${listed(names)}`,
        tone,
        filter: undefined,
      });
    }
  }
  const away = [...cluster.frameworks.values()].filter(({ connected }) => !connected).map(({ name }) => name);
  if (away.length > 0) {
    troubles.push({
      text: `${formatCount(away.length, "framework")} away: ${listed(away)}`,
      tone: "bad",
      filter: undefined,
    });
  }
  if (unhealthy > 0) {
    troubles.push({ text: `${formatCount(unhealthy, "task")} unhealthy`, tone: "bad", filter: "health=unhealthy" });
  }
  for (const { state, count } of states) {
    if (state.tone !== "bad" && state.word !== "unreachable") continue;
    troubles.push({ text: `${formatCount(count, "task")} ${state.word}`, tone: "bad", filter: `state=${state.word}` });
  }
  if (cluster.awaited.length > 0) {
    const text = `${formatCount(cluster.awaited.length, "agent")} not heard of since the master started; the picture is not whole yet`;
    troubles.push({ text, tone: "warn", filter: undefined });
  }
  return troubles;
}

const namesShownMax = 4;

const listed = (names: readonly string[]): string =>
  names.length <= namesShownMax
    ? names.join(", ")
    : `${names.slice(0, namesShownMax).join(", ")} and ${names.length - namesShownMax} more`;
