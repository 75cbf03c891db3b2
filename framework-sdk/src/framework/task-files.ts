import type { SecretSettings, TemplateSettings } from "@muster/foundation";
import { type TaskSpec, TemplateChange } from "@muster/proto";

const changes = {
  restart: TemplateChange.TEMPLATE_CHANGE_RESTART,
  signal: TemplateChange.TEMPLATE_CHANGE_SIGNAL,
  script: TemplateChange.TEMPLATE_CHANGE_SCRIPT,
  noop: TemplateChange.TEMPLATE_CHANGE_NONE,
} as const;

/** The part of a task's description that says which files are made for it, and which secrets it knows. */
export function taskFiles({
  templates = [],
  secrets = [],
}: {
  readonly templates?: readonly TemplateSettings[];
  readonly secrets?: readonly SecretSettings[];
} = {}): Pick<TaskSpec, "templates" | "secrets"> {
  return {
    templates: templates.map((one) => ({
      text: one.text ?? "",
      source: one.source ?? "",
      destination: one.destination,
      change: changes[one.change],
      signal: one.signal ?? "",
      script: one.script
        ? {
            command: one.script.command,
            arguments: [...one.script.args],
            timeoutMs: one.script.timeoutMs,
            failsTask: one.script.failsTask,
          }
        : null,
      once: one.once ?? false,
      splayMs: one.splayMs,
      mode: one.mode,
      leftDelimiter: one.delimiters?.left ?? "",
      rightDelimiter: one.delimiters?.right ?? "",
      env: one.env ?? false,
      settleMs: one.settle?.minMs ?? 0,
      settleMsMax: one.settle?.maxMs ?? 0,
      failsOnMissingKey: one.failsOnMissingKey ?? false,
      ...(one.uid === undefined ? {} : { uid: one.uid }),
      ...(one.gid === undefined ? {} : { gid: one.gid }),
    })),
    secrets: secrets.map(({ name, provider, path }) => ({ name, provider, path })),
  };
}
