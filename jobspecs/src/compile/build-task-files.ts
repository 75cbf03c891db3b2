// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import {
  type Delimiters,
  parseTemplate,
  plainDelimiters,
  type SecretSettings,
  secretProviders,
  type TemplateChangeMode,
  TemplateFault,
  type TemplateSettings,
} from "@muster/foundation";
import { didYouMean } from "../diagnostics/suggest.ts";
import { interpolate } from "../job/interpolate.ts";
import { isSecretName, type TaskFiles } from "../job/task-files.ts";
import { type Driver, hasImage, type Task } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";
import { signalNamed } from "./signals.ts";

const splayMsDefault = 5_000;
const scriptTimeoutMsDefault = 5_000;
const permsDefault = "0644";

export function buildTaskFiles(task: DecodedBlock, driver: Driver | undefined): TaskFiles {
  const secrets = task.all("secret").flatMap(buildSecret);
  const seen = new Set<string>();
  for (const block of task.all("secret")) {
    if (seen.has(block.label))
      block.error(undefined, { code: "job/secret", summary: `secret "${block.label}" is declared twice` });
    seen.add(block.label);
  }
  const templates = task.all("template").map((block) => buildTemplate(block, driver, secrets));
  return { ...(templates.length > 0 ? { templates } : {}), ...(secrets.length > 0 ? { secrets } : {}) };
}

function buildSecret(block: DecodedBlock): SecretSettings[] {
  const name = block.label;
  if (!isSecretName(name))
    block.error(undefined, {
      code: "job/secret",
      summary: `"${name}" can't be a secret's name`,
      hint: "use letters, digits, dashes and underscores",
    });
  const written = block.text("provider");
  const provider = secretProviders.find((one) => one === written);
  if (written !== undefined && !provider)
    block.error("provider", {
      code: "job/secret",
      summary: `no provider "${written}" is known`,
      hint: 'use "file" or "env", which the agent\'s operator sets out, or "key", a key of the cluster',
    });
  const path = block.text("path") ?? "";
  if (provider === "file" && path.split("/").includes(".."))
    block.error("path", { code: "job/secret", summary: "the path leads upwards", hint: 'write it without ".."' });
  return provider ? [{ name, provider, path: provider === "key" ? cleanPath(path) : path }] : [];
}

function cleanPath(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "")
    .join("/");
}

function buildTemplate(
  block: DecodedBlock,
  driver: Driver | undefined,
  secrets: readonly SecretSettings[],
): TemplateSettings {
  const written = block.text("data");
  const source = block.text("source");
  if ((written === undefined || written === "") === (source === undefined))
    block.error(source === undefined ? "data" : "source", {
      code: "job/template",
      summary: "a template needs either data or source",
    });
  // What stands in ${ } is the text's own: the environment is asked for with {{ env "NAME" }}, as in Nomad.
  const text = written === undefined ? undefined : interpolate(written, () => undefined);
  const delimiters = delimitersOf(block);
  if (text !== undefined) checkText(block, text, delimiters ?? plainDelimiters, secrets);
  const destination = block.text("destination") ?? "";
  checkDestination(block, destination, driver);
  const change = (block.text("change_mode") ?? "restart") as TemplateChangeMode;
  const wait = block.first("wait");
  const minMs = wait?.number("min") ?? 0;
  const uid = block.number("uid");
  const gid = block.number("gid");
  return {
    ...(text === undefined ? {} : { text }),
    ...(source === undefined ? {} : { source }),
    destination,
    change,
    ...buildChange(block, change),
    ...(block.bool("once") ? { once: true } : {}),
    splayMs: block.number("splay") ?? splayMsDefault,
    mode: modeOf(block),
    // Nomad writes -1 for the agent's own.
    ...(uid === undefined || uid < 0 ? {} : { uid }),
    ...(gid === undefined || gid < 0 ? {} : { gid }),
    ...(delimiters ? { delimiters } : {}),
    ...(block.bool("env") ? { env: true } : {}),
    ...(wait ? { settle: { minMs, maxMs: Math.max(minMs, wait.number("max") ?? minMs * 4) } } : {}),
    ...(block.bool("error_on_missing_key") ? { failsOnMissingKey: true } : {}),
  };
}

function delimitersOf(block: DecodedBlock): Delimiters | undefined {
  const left = block.text("left_delimiter");
  const right = block.text("right_delimiter");
  if (left === undefined && right === undefined) return undefined;
  return { left: left || plainDelimiters.left, right: right || plainDelimiters.right };
}

/** What a template may not hold is told where it stands. */
function checkText(
  block: DecodedBlock,
  text: string,
  delimiters: Delimiters,
  secrets: readonly SecretSettings[],
): void {
  try {
    parseTemplate(text, delimiters);
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error;
    const { message, hint, start, end } = error;
    block.errorInLines("data", text, { start, end }, { code: "job/template", summary: message, hint });
    return;
  }
  for (const found of text.matchAll(/secretText\s+"([^"\\]*)"/g)) {
    const [whole, name = ""] = found;
    if (secrets.some((secret) => secret.name === name)) continue;
    const end = found.index + whole.length;
    block.errorInLines(
      "data",
      text,
      { start: end - name.length - 1, end: end - 1 },
      {
        code: "job/secret",
        summary: `the task has no secret "${name}"`,
        hint:
          didYouMean(
            name,
            secrets.map((secret) => secret.name),
          ) ?? `add secret "${name}" { }`,
      },
    );
  }
  const reference = text.indexOf("${secret.");
  if (reference >= 0)
    block.errorInLines(
      "data",
      text,
      { start: reference, end: reference + 9 },
      {
        code: "job/secret",
        summary: "in a template ${ } means nothing",
        hint: 'write {{ secretText "NAME" "KEY" }}',
      },
    );
}

const visibleInside = /^(?:\/?(?:local|secrets|alloc)\/|\$\{(?:NOMAD|MUSTER)_(?:TASK|SECRETS|ALLOC)_DIR\}\/)/;

/** Of an image a task sees only some folders of the agent's. */
function checkDestination(block: DecodedBlock, destination: string, driver: Driver | undefined): void {
  if (destination === "") return;
  if (destination.split("/").includes(".."))
    block.error("destination", {
      code: "job/template",
      summary: `"${destination}" leads out of the task's folder`,
      hint: "write local/NAME, secrets/NAME or ${NOMAD_ALLOC_DIR}/NAME",
    });
  else if (
    destination.startsWith("/")
      ? !visibleInside.test(destination)
      : driver && hasImage(driver) && !visibleInside.test(destination)
  )
    block.error("destination", {
      code: "job/template",
      summary: destination.startsWith("/")
        ? `"${destination}" is not below the task's folder`
        : `a task of driver "${driver}" does not see "${destination}"`,
      hint: "write local/NAME, secrets/NAME or ${NOMAD_ALLOC_DIR}/NAME",
    });
}

function buildChange(block: DecodedBlock, change: TemplateChangeMode): Pick<TemplateSettings, "signal" | "script"> {
  const script = block.first("change_script");
  if (script && change !== "script")
    script.error(undefined, { code: "job/template", summary: 'change_script belongs to change_mode = "script"' });
  if (change === "signal") {
    if (block.bool("env"))
      block.error("env", {
        code: "job/template",
        summary: "a signal gives a task no new environment",
        hint: 'use change_mode = "restart" or "noop"',
      });
    return { signal: signalNamed(block, "change_signal", "SIGHUP") };
  }
  if (change !== "script") return {};
  if (!script) {
    block.error("change_mode", { code: "job/template", summary: 'change_mode = "script" needs change_script { }' });
    return {};
  }
  return {
    script: {
      command: script.text("command") ?? "",
      args: [...(script.texts("args") ?? [])],
      timeoutMs: script.number("timeout") ?? scriptTimeoutMsDefault,
      failsTask: script.bool("fail_on_error") ?? false,
    },
  };
}

function modeOf(block: DecodedBlock): number {
  const perms = block.text("perms") ?? permsDefault;
  if (/^0?[0-7]{3}$/.test(perms)) return Number.parseInt(perms, 8);
  block.error("perms", {
    code: "job/template",
    summary: `"${perms}" is no mode of a file`,
    hint: 'write it as "0640"',
  });
  return 0;
}

/** References to secrets stand in the environment alone, and name secrets of the task. */
export function checkSecretReferences(block: DecodedBlock, task: Task): void {
  const names = (task.secrets ?? []).map(({ name }) => name);
  for (const [variable, value] of Object.entries(task.env))
    for (const [, name = ""] of value.matchAll(/\$\{\s*secret\.([^.}\s]*)[^}]*\}/g)) {
      if (names.includes(name)) continue;
      block.error("env", {
        code: "job/secret",
        summary: `env ${variable}: the task has no secret "${name}"`,
        hint: didYouMean(name, names) ?? `add secret "${name}" { } to task "${task.name}"`,
      });
    }
  const { config, user = "" } = task;
  const seen = [config.command, ...config.args, ...(config.image?.entrypoint ?? []), config.image?.name ?? "", user];
  if (seen.some((text) => /\$\{\s*secret\./.test(text)))
    block.error(undefined, {
      code: "job/secret",
      summary: `task "${task.name}": a secret stands in its command, which everybody on the host can see`,
      hint: "put it into env, or into a file by a template",
    });
}
