import { faultText, parseTemplate, TemplateFault } from "@muster/foundation";
import { type SecretReference, type TaskSpec, TemplateChange, type TemplateFile } from "@muster/proto";
import { delimitersOf } from "./core/templates/render.ts";

export const templatesMax = 64;
export const secretsMax = 64;

/** Bits that a file may have: permissions, without those that give an account's rights away. */
const modeMax = 0o777;

export function copyTemplate(file: TemplateFile): TemplateFile {
  const { script, uid, gid, ...rest } = file;
  return {
    ...rest,
    script: script && { ...script, arguments: [...script.arguments] },
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

export function copySecret({ name, provider, path }: SecretReference): SecretReference {
  return { name, provider, path };
}

/** What is wrong with the files and secrets of a task, by field; empty: nothing. O(length of the templates). */
export function problemOfTemplates({ templates, secrets }: Pick<TaskSpec, "templates" | "secrets">): string {
  if (templates.length > templatesMax) return `spec.templates: more than ${templatesMax}`;
  if (secrets.length > secretsMax) return `spec.secrets: more than ${secretsMax}`;
  for (const [index, file] of templates.entries()) {
    const problem = problemOfFile(file);
    if (problem !== "") return `spec.templates[${index}]${problem}`;
  }
  for (const [index, secret] of secrets.entries()) {
    const problem = problemOfSecret(secret);
    if (problem !== "") return `spec.secrets[${index}]${problem}`;
  }
  return new Set(secrets.map(({ name }) => name)).size < secrets.length ? "spec.secrets: two have the same name" : "";
}

function problemOfFile(file: TemplateFile): string {
  const { text, source, destination, change, signal, script, mode } = file;
  if ((text === "") === (source === "")) return ": needs either text or source";
  if (destination === "") return ".destination: must not be empty";
  if (!Object.values(TemplateChange).includes(change)) return `.change: ${change} is no change`;
  if (signal !== "" && !/^SIG[A-Z0-9]+$/.test(signal)) return `.signal: "${signal}" is no signal`;
  if (change === TemplateChange.TEMPLATE_CHANGE_SCRIPT && !script?.command) return ".script.command: must not be empty";
  if (mode > modeMax) return `.mode: must be at most 0${modeMax.toString(8)}`;
  if (text === "") return "";
  try {
    parseTemplate(text, delimitersOf(file));
    return "";
  } catch (error) {
    if (error instanceof TemplateFault) return `.text: ${faultText(error, text)}`;
    throw error;
  }
}

function problemOfSecret({ name, provider, path }: SecretReference): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name))
    return `.name: "${name}" must be 1 to 64 letters, digits, dashes and underscores`;
  if (provider !== "file" && provider !== "env" && provider !== "key")
    return `.provider: "${provider}" is none of file, env and key`;
  if (path === "" || path.length > 512 || path.includes("\0")) return ".path: must have 1 to 512 characters";
  if (provider === "file" && path.split("/").includes("..")) return '.path: must not lead upwards by ".."';
  return "";
}
