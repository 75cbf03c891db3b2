import { type ClusterAgent, canRunThere, isUsable, traitsOf } from "@muster/framework-sdk";
import { needOf } from "./build.ts";
import { isEverywhere, isIdle, isLasting } from "./every-agent.ts";
import { newInstance } from "./instances.ts";
import { type Agents, type Instance, isOver, type JobEntry, type Run } from "./model.ts";
import { activeRuns, closeRun } from "./runs.ts";
import { expectTasks, forgetTasks, jobOf, type Turn, touch } from "./turn.ts";

/** Tasks of one job that may be under way at once on all agents together; further agents wait until some have ended. */
const openTasksMax = 500;
/** Agents that are looked for anew only when at least so many tasks more may be under way. */
const openTasksStep = 50;
/** Agents of one run: all of them are in one record of State. */
const agentsOfRunMax = 1_000;
/** Agents in the record of a job in all: runs that overlap share them. */
const agentsKeptMax = 1_000;

/**
 * Takes in what the agents are now, if anything has changed that matters for where something runs. Jobs that run
 * everywhere are then looked at. O(agents).
 */
export function takeAgents(
  { state, looked }: Turn,
  known: ReadonlyMap<string, ClusterAgent>,
  awaited: readonly string[],
): void {
  const before = state.agents;
  const isSame =
    before !== undefined &&
    before.known.size === known.size &&
    before.awaited.size === awaited.length &&
    awaited.every((agentId) => before.awaited.has(agentId)) &&
    [...known.values()].every((agent) => isAlike(before.known.get(agent.agentId), agent));
  if (isSame) return;
  state.agents = { revision: (before?.revision ?? 0) + 1, known: new Map(known), awaited: new Set(awaited) };
  for (const entry of state.everywhere) looked.add(entry);
}

/**
 * Gives every agent that comes into question its instance in the runs of a job, takes back those of agents that are no
 * more, and ends what is done. O(agents × constraints) after the agents have changed and after every fifty ends while
 * agents wait, else O(instances).
 */
export function coverAgents(turn: Turn, entry: JobEntry): void {
  const { state } = turn;
  const runs = activeRuns(entry).filter((run) => isEverywhere(jobOf(entry, run)));
  if (runs.length > 0) state.everywhere.add(entry);
  else state.everywhere.delete(entry);
  const { agents } = state;
  // Nobody acts on a hole.
  if (!agents || !state.isOpen) return;
  for (const run of runs) {
    if (run.ending !== undefined) continue;
    if (run.coverage.revision !== agents.revision) giveUpGone(turn, entry, run, agents);
    cover(turn, entry, run, agents);
    if (!isLasting(entry, run) && isIdle(state, run)) close(turn, entry, run);
  }
}

function cover(turn: Turn, entry: JobEntry, run: Run, { revision, known }: Agents): void {
  const job = jobOf(entry, run);
  const { coverage } = run;
  if (coverage.revision === revision && !coverage.hasMore) return;
  const open = activeRuns(entry).flatMap((one) => one.instances.filter((instance) => !isOver(instance)));
  let free = openTasksMax - open.reduce((sum, { tasks }) => sum + tasks.length, 0);
  if (coverage.revision === revision && free < openTasksStep) return;
  let room = agentsKeptMax - entry.runs.reduce((sum, { instances }) => sum + instances.length, 0);
  Object.assign(coverage, { revision, hasMore: false, leftOutCount: 0 });
  const added: Instance[] = [];
  let count = run.instances.length;
  for (const [groupIndex, group] of job.groups.entries()) {
    if (group.count === 0) continue;
    const need = needOf(job, group);
    const own = run.instances.filter((instance) => instance.groupIndex === groupIndex);
    const covered = new Set(own.map(({ agentId }) => agentId));
    let index = own.reduce((most, instance) => Math.max(most, instance.index), -1);
    for (const agent of known.values()) {
      if (covered.has(agent.agentId) || !isUsable(agent) || !canRunThere(need, traitsOf(agent))) continue;
      if (count >= agentsOfRunMax) {
        coverage.leftOutCount += 1;
        continue;
      }
      if (free < group.tasks.length || room <= 0) {
        coverage.hasMore = true;
        continue;
      }
      free -= group.tasks.length;
      room -= 1;
      count += 1;
      index += 1;
      const instance = newInstance(groupIndex, index, group.tasks.length);
      const { agentId, name: agentName } = agent;
      added.push(Object.assign(instance, { agentId, agentName, isPinned: true, notBefore: run.notBefore ?? 0 }));
    }
  }
  if (added.length === 0) return;
  run.instances.push(...added);
  touch(turn, entry);
  for (const instance of added) {
    instance.recordedAt = entry.revision;
    expectTasks(turn, entry, run, instance);
  }
}

/** What waits for an agent that is no more: it never was, or it has failed there. */
function giveUpGone(turn: Turn, entry: JobEntry, run: Run, { known, awaited }: Agents): void {
  const isGone = ({ agentId, phase, inQuestion }: Instance): boolean =>
    phase === "waiting" && !inQuestion && !known.has(agentId) && !awaited.has(agentId);
  giveUp(turn, entry, run, run.instances.filter(isGone), "its agent is no more");
}

/** All agents that are there are done with it; what waits for others is not waited for. */
function close(turn: Turn, entry: JobEntry, run: Run): void {
  const away = run.instances.filter((one) => !isOver(one));
  if (away.length === run.instances.length) return;
  giveUp(turn, entry, run, away, "its agent is away");
  closeRun(turn, entry, run);
}

function giveUp(turn: Turn, entry: JobEntry, run: Run, instances: readonly Instance[], reason: string): void {
  if (instances.length === 0) return;
  const dropped = new Set<Instance>();
  for (const instance of instances) {
    forgetTasks(turn, entry, run, instance);
    if (instance.launch === 1) dropped.add(instance);
    else {
      instance.phase = "failed";
      instance.reason = instance.reason === "" ? reason : `${reason}: ${instance.reason}`;
    }
  }
  if (dropped.size > 0) run.instances = run.instances.filter((instance) => !dropped.has(instance));
  touch(turn, entry);
}

/** What decides on where something runs is the same. */
function isAlike(before: ClusterAgent | undefined, agent: ClusterAgent): boolean {
  if (before === agent) return true;
  if (before === undefined || isUsable(before) !== isUsable(agent) || before.name !== agent.name) return false;
  return (
    before.attributes.size === agent.attributes.size &&
    [...agent.attributes].every(([name, value]) => before.attributes.get(name) === value) &&
    before.drivers.join() === agent.drivers.join() &&
    before.networkModes.join() === agent.networkModes.join()
  );
}
