import { readReference } from "../../images/reference.ts";
import {
  type ContainerSettings,
  containerFields,
  type Read,
  readContainerSettings,
  readFields,
} from "../container-settings.ts";

/** What a job may set for a container made from an image. */
export interface OciSettings extends ContainerSettings {
  readonly image: string;
  /** Undefined: the image's. */
  readonly entrypoint: readonly string[] | undefined;
  readonly forcePull: boolean;
  readonly pullTimeoutMs: number;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

/** A pull may take so long, unless the job says otherwise. */
export const pullTimeoutMsDefault = 5 * 60_000;
const pullTimeoutMsMax = 24 * 60 * 60_000;
const wordsMax = 256;
const secretLengthMax = 8_192;

const own = ["image", "entrypoint", "force_pull", "image_pull_timeout_ms", "auth"];

/** Reads `TaskSpec.driver_config_json`; a problem names the field. Pure. */
export function readOciSettings(json: string): Read<OciSettings> {
  const fields = readFields(json, "oci", [...own, ...containerFields]);
  if (!fields.ok) return fields;
  const { image, entrypoint, force_pull = false, image_pull_timeout_ms = pullTimeoutMsDefault, auth } = fields.settings;
  if (typeof image !== "string") return { ok: false, problem: "config.image: must be the name of an image" };
  // What is filled in is known later.
  const reference = image.includes("${") ? undefined : readReference(image);
  if (reference && !reference.ok) return { ok: false, problem: `config.image: ${reference.problem}` };
  if (entrypoint !== undefined && !isWords(entrypoint))
    return { ok: false, problem: `config.entrypoint: must be a list of at most ${wordsMax} words` };
  if (typeof force_pull !== "boolean") return { ok: false, problem: "config.force_pull: must be true or false" };
  const timeoutMs = image_pull_timeout_ms as number;
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > pullTimeoutMsMax)
    return { ok: false, problem: `config.image_pull_timeout_ms: must be a whole number from 1 to ${pullTimeoutMsMax}` };
  const credentials = readAuth(auth);
  if (!credentials.ok) return credentials;
  const container = readContainerSettings(fields.settings);
  if (!container.ok) return container;
  return {
    ok: true,
    settings: {
      ...container.settings,
      image,
      entrypoint,
      forcePull: force_pull,
      pullTimeoutMs: timeoutMs,
      credentials: credentials.settings,
    },
  };
}

function isWords(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= wordsMax &&
    value.every((word) => typeof word === "string" && !word.includes("\0"))
  );
}

function readAuth(auth: unknown): Read<OciSettings["credentials"]> {
  if (auth === undefined) return { ok: true, settings: undefined };
  const { username, password, ...others } = (typeof auth === "object" && auth !== null ? auth : {}) as Record<
    string,
    unknown
  >;
  const [other] = Object.keys(others);
  if (other !== undefined) return { ok: false, problem: `config.auth.${other}: no such setting` };
  if (!isSecret(username) || username.includes(":"))
    return { ok: false, problem: "config.auth.username: must be a name without a colon" };
  if (!isSecret(password)) return { ok: false, problem: "config.auth.password: must be a text" };
  return { ok: true, settings: { username, password } };
}

function isSecret(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= secretLengthMax && !value.includes("\0");
}
