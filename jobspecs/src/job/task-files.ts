import { type Reader, refuseTwice, typed } from "./reader.ts";

/** What happens to a task that runs when a file of it has changed. */
export const templateChanges = ["restart", "signal", "script", "noop"] as const;
export type TemplateChangeMode = (typeof templateChanges)[number];

/** A file that the agent makes of a template before the task starts, and keeps in step. */
export interface TaskTemplate {
  /** The template. Absent: `source` names a file that holds it. */
  readonly text?: string;
  /** A file of the task or its group's shared folder, on the agent. Interpolated. */
  readonly source?: string;
  /** Below the task's folder or its group's shared one. Interpolated. */
  readonly destination: string;
  readonly change: TemplateChangeMode;
  /** Of change "signal". */
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

/** A secret by reference, as `${secret.NAME.KEY}` in the environment and `secretText` in templates. */
export interface TaskSecret {
  readonly name: string;
  /** Who has it: a file or a variable of the agent that its operator has set out, or a key of the cluster. */
  readonly provider: (typeof secretProviders)[number];
  readonly path: string;
}

/** Of one task each. */
export const templatesMax = 64;
export const secretsMax = 64;
/** Characters of a template. */
const textLengthMax = 128 * 1024;
export const modeMax = 0o777;

export interface TaskFiles {
  readonly templates?: readonly TaskTemplate[];
  readonly secrets?: readonly TaskSecret[];
}

export function decodeTaskFiles(task: Reader): TaskFiles {
  const templates = task.has("templates") ? task.list("templates", templatesMax, readTemplate) : [];
  const secrets = task.has("secrets") ? task.list("secrets", secretsMax, readSecret) : [];
  refuseTwice(
    secrets.map(({ name }) => name),
    task.at("secrets"),
  );
  return { ...(templates.length > 0 ? { templates } : {}), ...(secrets.length > 0 ? { secrets } : {}) };
}

const readScript = typed(
  (reader): TemplateScript => ({
    command: filled(reader, "command"),
    args: reader.texts("args"),
    timeoutMs: reader.duration("timeoutMs"),
    failsTask: reader.bool("failsTask"),
  }),
);

const readDelimiters = typed((reader) => ({ left: filled(reader, "left", 64), right: filled(reader, "right", 64) }));

const readSettle = typed((reader) => ({ minMs: reader.duration("minMs"), maxMs: reader.duration("maxMs") }));

const readTemplate = typed((reader): TaskTemplate => {
  if (reader.has("text") === reader.has("source")) reader.fail("text", "or source must be given, and not both");
  const id = (name: string) => reader.integer(name, 0, 4_294_967_294);
  const flag = (name: "once" | "env" | "failsOnMissingKey") => (reader.has(name) ? { [name]: reader.bool(name) } : {});
  const change = reader.oneOf("change", templateChanges);
  if (reader.has("script") !== (change === "script")) reader.fail("script", "belongs to change script, which needs it");
  return {
    ...(reader.has("text") ? { text: filled(reader, "text", textLengthMax) } : {}),
    ...(reader.has("source") ? { source: filled(reader, "source") } : {}),
    destination: filled(reader, "destination"),
    change,
    ...(reader.has("signal") ? { signal: reader.name("signal") } : {}),
    ...(reader.has("script") ? { script: readScript(reader.raw("script"), reader.at("script")) } : {}),
    ...flag("once"),
    splayMs: reader.duration("splayMs"),
    mode: reader.integer("mode", 0, modeMax),
    ...(reader.has("uid") ? { uid: id("uid") } : {}),
    ...(reader.has("gid") ? { gid: id("gid") } : {}),
    ...(reader.has("delimiters")
      ? { delimiters: readDelimiters(reader.raw("delimiters"), reader.at("delimiters")) }
      : {}),
    ...flag("env"),
    ...(reader.has("settle") ? { settle: readSettle(reader.raw("settle"), reader.at("settle")) } : {}),
    ...flag("failsOnMissingKey"),
  };
});

const readSecret = typed((reader): TaskSecret => {
  const provider = reader.oneOf("provider", secretProviders);
  const path = filled(reader, "path", 512);
  if (provider === "file" && path.split("/").includes("..")) reader.fail("path", 'must not lead upwards by ".."');
  const name = reader.name("name");
  if (!isSecretName(name)) reader.fail("name", "must be letters, digits, dashes and underscores");
  return { name, provider, path };
});

export function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,63}$/.test(name);
}

function filled(reader: Reader, name: string, lengthMax = 4_096): string {
  const text = reader.text(name, lengthMax);
  return text === "" ? reader.fail(name, "must not be empty") : text;
}
