import type { ServiceInstance, Template, TemplateNeed } from "@muster/foundation";
import type { TemplateFile } from "@muster/proto";

/** One file of a task and where its making stands. */
export interface TemplatePart {
  readonly file: TemplateFile;
  /** Undefined until it was read. */
  template: Template | undefined;
  /** What it was made into last; undefined: nothing yet. */
  text: string | undefined;
  needs: readonly TemplateNeed[];
  missing: readonly TemplateNeed[];
  /** Digest of what the task's present process knows of; empty: of nothing. */
  applied: string;
}

/** What happens to a task since files of it have changed. */
export interface PlannedChange {
  /** Monotonic. */
  readonly atMs: number;
  restarts: boolean;
  readonly signals: Set<string>;
  /** Indexes of the files whose scripts are to run. */
  readonly scripts: Set<number>;
}

/**
 * none: nothing was read. reading: it is. waiting: something is missing, or files are being written. ready: all were made
 * once in this life of the agent.
 */
export type TemplatesPhase = "none" | "reading" | "waiting" | "ready";

/** All that a task's files and secrets are made of. */
export interface TaskTemplates {
  phase: TemplatesPhase;
  readonly parts: readonly TemplatePart[];
  /** Values by the names of secrets, as far as they are known. */
  readonly secrets: Map<string, string>;
  /** What its templates with `env` say. */
  environment: Readonly<Record<string, string>>;
  /** What it follows in the catalog, by the texts of the needs. */
  followed: ReadonlyMap<string, TemplateNeed>;
  /** Files that are being written. */
  writingCount: number;
  /** What was missing has been told. */
  told: string;
  /** When it is told what is missing; monotonic, undefined: nothing is. */
  tellAtMs: number | undefined;
  /** A change waits for others to come; monotonic. */
  settle: { readonly sinceMs: number; dueMs: number } | undefined;
  change: PlannedChange | undefined;
}

/** What stands under a subject of the catalog. `isPartial`: agents are awaited, and nothing was known before of it. */
export type Known =
  | { readonly kind: "service"; readonly instances: readonly ServiceInstance[]; readonly isPartial?: boolean }
  | {
      readonly kind: "services";
      readonly isPartial?: boolean;
      readonly services: readonly { readonly name: string; readonly tags: readonly string[] }[];
    }
  | { readonly kind: "keys"; readonly keys: readonly (readonly [path: string, value: string])[] }
  | { readonly kind: "refused"; readonly reason: string };

/** What the master tells of one subject. */
export interface CatalogNews {
  readonly need: TemplateNeed;
  readonly known: Known;
}

/** What the agent's tasks want to know of the cluster. */
export interface CatalogState {
  /** By their texts: who wants what. */
  readonly wanted: Map<string, { readonly need: TemplateNeed; readonly tasks: Set<string> }>;
  readonly known: Map<string, Known>;
}

export function needKey({ kind, name }: TemplateNeed): string {
  return `${kind} ${name}`;
}

/** Names that one agent can follow; the master's limit. */
export const catalogWantedMax = 4_096;
