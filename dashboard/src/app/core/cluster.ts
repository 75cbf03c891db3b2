import type { AgentRecord, EventsResponse, FrameworkRecord, OfferRecord, TaskRecord, WatchEvent } from "@muster/proto";

/** The cluster as the page knows it. Owned by the feed and changed in place: copying 10,000 tasks ten times a second would cost. */
export interface Cluster {
  epoch: number;
  /** Number of the last event that is in here. */
  sequence: number;
  clusterId: string;
  readonly agents: Map<string, AgentRecord>;
  readonly frameworks: Map<string, FrameworkRecord>;
  /** By `taskKey`. */
  readonly tasks: Map<string, TaskRecord>;
  readonly offers: Map<string, OfferRecord>;
  /** Ids of agents that have not come back since the master started. */
  awaited: readonly string[];
}

/** What is shown, and the snapshot that is still arriving. What is shown stays until the next snapshot is whole. */
export interface Picture {
  shown: Cluster | undefined;
  arriving: Cluster | undefined;
}

/**
 * "changed": there is something new to show. "same": not yet. "lost": the message does not follow what is known, so that
 * only a new snapshot helps.
 */
export type Applied = "changed" | "same" | "lost";

export const noPicture = (): Picture => ({ shown: undefined, arriving: undefined });

/** Names a task in the whole cluster. */
export const taskKey = (frameworkId: string, taskId: string): string => `${frameworkId}/${taskId}`;

/** Takes one message of the watch in. O(events). */
export function applyResponse(picture: Picture, response: EventsResponse): Applied {
  if (response.snapshot) return applySnapshot(picture, response);
  const cluster = picture.shown;
  if (cluster === undefined || response.epoch !== cluster.epoch) return "lost";
  picture.arriving = undefined;
  let changed = false;
  for (const event of response.events) {
    // Told twice after a resume: it is in already.
    if (event.sequence !== 0 && event.sequence <= cluster.sequence) continue;
    applyEvent(cluster, event);
    changed = true;
  }
  cluster.sequence = Math.max(cluster.sequence, response.sequence);
  return changed ? "changed" : "same";
}

function applySnapshot(picture: Picture, response: EventsResponse): Applied {
  const cluster = picture.arriving ?? emptyCluster();
  picture.arriving = cluster;
  for (const event of response.events) applyEvent(cluster, event);
  if (response.clusterId !== "") cluster.clusterId = response.clusterId;
  if (!response.snapshotComplete) return "same";
  cluster.epoch = response.epoch;
  cluster.sequence = response.sequence;
  picture.shown = cluster;
  picture.arriving = undefined;
  return "changed";
}

export function emptyCluster(): Cluster {
  return {
    epoch: 0,
    sequence: 0,
    clusterId: "",
    agents: new Map(),
    frameworks: new Map(),
    tasks: new Map(),
    offers: new Map(),
    awaited: [],
  };
}

function applyEvent(cluster: Cluster, event: WatchEvent): void {
  if (event.agent) cluster.agents.set(event.agent.agentId, event.agent);
  else if (event.agentRemoved) cluster.agents.delete(event.agentRemoved);
  else if (event.framework) cluster.frameworks.set(event.framework.frameworkId, event.framework);
  else if (event.frameworkRemoved) cluster.frameworks.delete(event.frameworkRemoved);
  else if (event.task) cluster.tasks.set(taskKey(event.task.frameworkId, event.task.taskId), event.task);
  else if (event.taskRemoved) cluster.tasks.delete(taskKey(event.taskRemoved.frameworkId, event.taskRemoved.taskId));
  else if (event.offer) cluster.offers.set(event.offer.offerId, event.offer);
  else if (event.offerEnded) cluster.offers.delete(event.offerEnded.offerId);
  else if (event.agentsAwaited) cluster.awaited = event.agentsAwaited.agentIds;
}
