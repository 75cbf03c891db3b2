import type { TaskSpec } from "@muster/proto";
import type { TaskTemplates } from "./model.ts";

/** Undefined: the task has neither files to be made nor secrets. */
export function newTemplates({ templates, secrets }: TaskSpec): TaskTemplates | undefined {
  if (templates.length === 0 && secrets.length === 0) return undefined;
  return {
    phase: "none",
    parts: templates.map((file) => ({
      file,
      template: undefined,
      text: undefined,
      needs: [],
      missing: [],
      applied: "",
    })),
    secrets: new Map(),
    environment: {},
    followed: new Map(),
    writingCount: 0,
    told: "",
    tellAtMs: undefined,
    settle: undefined,
    change: undefined,
  };
}
