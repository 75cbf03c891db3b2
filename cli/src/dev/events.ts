import { AgentState, type TaskRecord, TaskState, type WatchEvent, WatchKind } from "@muster/proto";
import { type Client, message } from "../connect/client.ts";
import type { Output } from "../output/output.ts";
import { enumWord, stateText } from "../output/states.ts";

const retryMs = 500;

/** Prints what changes in the cluster, until it is cancelled. A master that comes back is followed again. */
export function followEvents(client: Client, out: Output): { cancel(): void } {
  let isOver = false;
  let cancel = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const place = { epoch: 0, sequence: 0 };
  const told = new Map<string, string>();
  const follow = (): void => {
    const { WATCH_KIND_AGENTS, WATCH_KIND_FRAMEWORKS, WATCH_KIND_TASKS } = WatchKind;
    const request = message("EventsRequest", {
      ...place,
      kinds: [WATCH_KIND_AGENTS, WATCH_KIND_FRAMEWORKS, WATCH_KIND_TASKS],
    });
    const stream = client.follow("Watch.Events", request, (part) => {
      place.epoch = part.epoch;
      place.sequence = part.sequence;
      for (const event of part.events) {
        const line = describeEvent(event, out);
        if (line === undefined || told.get(line.key) === line.text) continue;
        told.set(line.key, line.text);
        if (line.isEnd) told.delete(line.key);
        // A snapshot tells what is there already; it only teaches us what to compare with.
        if (!part.snapshot) out.line(`${new Date().toISOString().slice(11, 19)} ${line.text}`);
      }
    });
    cancel = stream.cancel;
    void stream.ended.then(() => {
      if (!isOver) timer = setTimeout(follow, retryMs);
    });
  };
  follow();
  return {
    cancel: () => {
      isOver = true;
      clearTimeout(timer);
      cancel();
    },
  };
}

interface Line {
  readonly key: string;
  readonly text: string;
  /** Nothing more will be told of it. */
  readonly isEnd: boolean;
}

function describeEvent(event: WatchEvent, out: Output): Line | undefined {
  const { agent, framework, task } = event;
  if (task) return describeTask(task, out);
  if (agent) {
    const state = enumWord(AgentState, agent.state, "AGENT_STATE_");
    return { key: agent.agentId, text: `agent ${agent.name} ${stateText(state, out.style)}`, isEnd: false };
  }
  if (framework) {
    const state = stateText(framework.connected ? "connected" : "disconnected", out.style);
    return { key: framework.frameworkId, text: `framework ${framework.name} ${state}`, isEnd: false };
  }
  return undefined;
}

function describeTask(task: TaskRecord, out: Output): Line {
  const { status } = task;
  const word = enumWord(TaskState, status?.state ?? 0, "TASK_");
  const health = status?.health === 1 ? " healthy" : status?.health === 2 ? " not healthy" : "";
  const state = status?.state ?? 0;
  const isEnd = state >= TaskState.TASK_FINISHED && state <= TaskState.TASK_GONE;
  const why = isEnd && status?.message ? `: ${status.message}` : "";
  return {
    key: `${task.frameworkId}/${task.taskId}`,
    text: `task ${task.taskId} ${stateText(word, out.style)}${health} on ${task.agentName}${why}`,
    isEnd,
  };
}
