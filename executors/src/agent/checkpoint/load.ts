import type { DiskFile } from "../../world/disk.ts";
import type { FoundGroup, IntentRecord, StateRecord } from "../core/model.ts";
import type { SetAsideRecord } from "../core/set-aside/model.ts";
import { decodeRecord } from "./record.ts";

export const paths = {
  agent: "meta/agent",
  /** The agent's id is what others know it by: it is kept twice. */
  agentCopy: "meta/agent.copy",
  epoch: "meta/epoch",
  setAside: "meta/set-aside",
  intent: (key: string): string => `tasks/${key}/intent`,
  state: (key: string, index: number): string => `tasks/${key}/${index}/state`,
} as const;

export interface Loaded {
  readonly agentId: string | undefined;
  readonly epochSeen: number;
  readonly groups: readonly FoundGroup[];
  /** Undefined: nothing was ever set aside. */
  readonly setAside: SetAsideRecord | undefined;
  /** Files that hold no valid record, and why. */
  readonly damaged: readonly { readonly path: string; readonly reason: string }[];
}

interface Draft {
  intent: IntentRecord | undefined;
  damaged: boolean;
  readonly states: Map<number, StateRecord>;
}

/** Makes sense of the files of a checkpoint. A damaged file damages nothing but itself. */
export function loadCheckpoint(files: readonly DiskFile[]): Loaded {
  const damaged: { path: string; reason: string }[] = [];
  const drafts = new Map<string, Draft>();
  const agents: string[] = [];
  let epochSeen = 0;
  let setAside: SetAsideRecord | undefined;
  for (const { path, bytes } of files) {
    const decoded = decodeRecord(bytes);
    const value = decoded.ok ? decoded.value : undefined;
    const draft = draftOf(drafts, path);
    if (!decoded.ok) {
      damaged.push({ path, reason: decoded.reason });
      if (draft) draft.damaged = true;
    } else if (path === paths.agent || path === paths.agentCopy) agents.push((value as { agentId: string }).agentId);
    else if (path === paths.setAside) setAside = value as SetAsideRecord;
    else if (path === paths.epoch) epochSeen = Math.max(epochSeen, (value as { epoch: number }).epoch);
    else if (draft && path.endsWith("/intent")) draft.intent = value as IntentRecord;
    else if (draft) draft.states.set(Number(path.split("/")[2]), value as StateRecord);
  }
  const groups: FoundGroup[] = [];
  for (const [key, draft] of [...drafts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    groups.push({ key, ...draft });
    if (!draft.intent) continue;
    // Each intent repeats whose it is and under which master it was written, should meta/ be lost.
    agents.push(draft.intent.agentId);
    epochSeen = Math.max(epochSeen, draft.intent.epoch);
  }
  return { agentId: agents[0], epochSeen, groups, setAside, damaged };
}

function draftOf(drafts: Map<string, Draft>, path: string): Draft | undefined {
  const parts = path.split("/");
  const key = parts[1];
  if (parts[0] !== "tasks" || key === undefined) return undefined;
  const known = drafts.get(key);
  if (known) return known;
  const draft: Draft = { intent: undefined, damaged: false, states: new Map() };
  drafts.set(key, draft);
  return draft;
}
