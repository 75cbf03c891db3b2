import {
  type SecretSettings,
  secretProviders,
  type TemplateScript,
  type TemplateSettings,
  templateChanges,
} from "@muster/foundation";
import { type Reader, refuseTwice, typed } from "./reader.ts";

/** Of one task each. */
export const templatesMax = 64;
export const secretsMax = 64;
/** Characters of a template. */
const textLengthMax = 128 * 1024;
export const modeMax = 0o777;

export interface TaskFiles {
  readonly templates?: readonly TemplateSettings[];
  readonly secrets?: readonly SecretSettings[];
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

const readTemplate = typed((reader): TemplateSettings => {
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

const readSecret = typed((reader): SecretSettings => {
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
