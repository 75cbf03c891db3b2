/** What a state means to people: its colour's meaning and its sign. Colour alone never says anything. */
export type Tone = "good" | "busy" | "bad" | "warn" | "quiet";
export type Sign = "dot" | "ring" | "half" | "check" | "cross" | "square" | "question" | "slash" | "triangle";

export interface Word {
  readonly word: string;
  readonly tone: Tone;
  readonly sign: Sign;
}

const unknown: Word = { word: "unknown", tone: "warn", sign: "question" };

// In the order of the numbers of muster.v1.TaskState.
const taskWords: readonly Word[] = [
  unknown,
  { word: "staging", tone: "busy", sign: "ring" },
  { word: "starting", tone: "busy", sign: "half" },
  { word: "running", tone: "good", sign: "dot" },
  { word: "killing", tone: "busy", sign: "half" },
  { word: "finished", tone: "quiet", sign: "check" },
  { word: "failed", tone: "bad", sign: "cross" },
  { word: "killed", tone: "quiet", sign: "square" },
  { word: "error", tone: "bad", sign: "cross" },
  { word: "dropped", tone: "warn", sign: "slash" },
  { word: "gone", tone: "bad", sign: "slash" },
  { word: "unreachable", tone: "warn", sign: "question" },
  unknown,
];

const agentWords: readonly Word[] = [
  unknown,
  { word: "registered", tone: "good", sign: "dot" },
  { word: "disconnected", tone: "warn", sign: "half" },
  { word: "unreachable", tone: "bad", sign: "question" },
  { word: "gone", tone: "bad", sign: "slash" },
  { word: "awaited", tone: "busy", sign: "ring" },
];

const healthWords: readonly Word[] = [
  { word: "no checks", tone: "quiet", sign: "ring" },
  { word: "healthy", tone: "good", sign: "check" },
  { word: "unhealthy", tone: "bad", sign: "triangle" },
];

// In the order of the numbers of muster.v1.StatusReason; empty where the state says it all.
const reasonWords: readonly string[] = [
  "",
  "command exited",
  "launch failed",
  "limit exceeded",
  "out of memory",
  "ran too long",
  "port in use",
  "resources missing",
  "offer no longer valid",
  "task invalid",
  "another task of its group is invalid",
  "another task of its group ended",
  "killed by its framework",
  "killed before it started",
  "checks failed",
  "",
  "agent shut down",
  "agent restarted",
  "machine rebooted",
  "agent disconnected",
  "agent unreachable",
  "agent is back",
  "agent draining",
  "agent gone",
  "agent unknown",
  "framework removed",
  "",
  "supervisor lost",
  "disk full or failing",
  "not supported there",
  "preempted",
  "task id in use",
  "executor timed out",
  "checkpoint damaged",
  "ended, starts again",
  "",
  "listens on a port that is not its own",
  "checks failed, waits for its framework",
  "",
  "",
  "its executor ended",
  "executor without tasks",
  "too much on the disk",
  "volume not to be had",
  "an earlier step failed",
  "",
  "artifact not to be had",
  "",
  "",
  "",
  "a file of it changed",
  "a file of it could not be made",
];

export const taskWord = (state: number): Word => taskWords[state] ?? unknown;
export const agentWord = (state: number): Word => agentWords[state] ?? unknown;
export const healthWord = (health: number): Word => healthWords[health] ?? unknown;
export const reasonWord = (reason: number): string => reasonWords[reason] ?? "";

/** FINISHED to GONE. */
export const isTerminal = (state: number): boolean => state >= 5 && state <= 10;
