/** What happens to a task that runs when a file of it has changed. */
export const templateChanges = ["restart", "signal", "script", "noop"] as const;
export type TemplateChangeMode = (typeof templateChanges)[number];

/** A file that a task's agent makes of a template before it starts, and keeps in step with what the template names. */
export interface TemplateSettings {
  /** The template. Absent: `source` names a file that holds it. */
  readonly text?: string;
  /** A file of the task or its group's shared folder, on the agent. Interpolated. */
  readonly source?: string;
  /** Below the task's folder or its group's shared one: "local/NAME", "secrets/NAME". Interpolated. */
  readonly destination: string;
  readonly change: TemplateChangeMode;
  /** Of change "signal". Absent: SIGHUP. */
  readonly signal?: string;
  /** Of change "script". */
  readonly script?: TemplateScript;
  /** Made before the start alone. Absent: false. */
  readonly once?: boolean;
  /** A change is told up to so much later. */
  readonly splayMs: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Absent: "{{" and "}}". */
  readonly delimiters?: { readonly left: string; readonly right: string };
  /** The result holds lines NAME=VALUE for the environment. Absent: false. */
  readonly env?: boolean;
  /** Made when nothing has changed for `minMs`, at the latest `maxMs` after a change. Absent: at once. */
  readonly settle?: { readonly minMs: number; readonly maxMs: number };
  /** A name that a map has not is a mistake. Absent: false. */
  readonly failsOnMissingKey?: boolean;
}

export interface TemplateScript {
  /** Interpolated, as the arguments are. */
  readonly command: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  /** Its failure ends the task. */
  readonly failsTask: boolean;
}

export const secretProviders = ["file", "env", "key"] as const;

/** A secret by reference, which only the task's agent ever reads: `${secret.NAME.KEY}` in the environment, `secretText` in templates. */
export interface SecretSettings {
  readonly name: string;
  /** Who has it: a file or a variable of the agent that its operator has set out, or a key of the cluster. */
  readonly provider: (typeof secretProviders)[number];
  readonly path: string;
}
