import type { Artifact } from "@muster/proto";
import type { ProcContainer } from "./proc.ts";

/** What a task is to have in its folders before it starts. All interpolation is done. */
export interface ArtifactsWish {
  /** The task's id: never used twice on this agent. */
  readonly id: string;
  /** In the order in which they are put there: a later one may stand in for parts of an earlier. */
  readonly artifacts: readonly Artifact[];
  /** Account of the task, of the host or of its container; empty: the agent's own. */
  readonly user: string;
  readonly container: ProcContainer | undefined;
}

/** What becomes of them. Events come later, never during a call. */
export interface ArtifactsEvents {
  /** What takes long, for people. */
  progress(id: string, message: string): void;
  /** All are there; the message says what it took. */
  ready(id: string, message: string): void;
  /** One can't be had, and why; nothing more of the wish is done. */
  failed(id: string, message: string): void;
}

/** Fetches files, archives and repositories for tasks. */
export interface Artifacts {
  /** Called once, before anything else. What an earlier life of the agent had begun is gone. */
  start(events: ArtifactsEvents): void;
  /** Fetches all, and puts them into the task's folders. `ready` or `failed` follows, unless it is released before. Doing it again is harmless. */
  prepare(wish: ArtifactsWish): void;
  /** The task is not to start any more. Doing it again is harmless. */
  release(id: string): void;
  /** Ends what is under way, then calls back. */
  stop(done: () => void): void;
}
