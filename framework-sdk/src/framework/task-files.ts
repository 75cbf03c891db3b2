import { type TaskSpec, TemplateChange } from "@muster/proto";

/** A file that a task's agent makes of a template before it starts, and keeps in step with what the template names. */
export interface TemplateSettings {
  /** The template; or `source`. */
  readonly text?: string;
  /** A file of the task on its agent that holds the template. */
  readonly source?: string;
  /** Below the task's folder: "local/NAME", "secrets/NAME". */
  readonly destination: string;
  /** What happens to the task when the result has changed. */
  readonly change: "restart" | "signal" | "script" | "noop";
  /** Of change "signal". Default: SIGHUP. */
  readonly signal?: string;
  /** Of change "script". */
  readonly script?: {
    readonly command: string;
    readonly args: readonly string[];
    readonly timeoutMs: number;
    /** Its failure ends the task. */
    readonly failsTask: boolean;
  };
  /** Made before the start alone. Default: false. */
  readonly once?: boolean;
  /** A change is told up to so much later. */
  readonly splayMs: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Default: "{{" and "}}". */
  readonly delimiters?: { readonly left: string; readonly right: string };
  /** The result holds lines NAME=VALUE for the environment. Default: false. */
  readonly env?: boolean;
  /** Default: made at once. */
  readonly settle?: { readonly minMs: number; readonly maxMs: number };
  /** A name that a map has not is a mistake. Default: false. */
  readonly failsOnMissingKey?: boolean;
}

/** A secret that only the task's agent ever reads; "file" and "env" are what its operator has set out. */
export interface SecretSettings {
  readonly name: string;
  readonly provider: "file" | "env" | "key";
  readonly path: string;
}

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
