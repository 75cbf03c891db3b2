import { grantableCapabilities, refusedCapability } from "../containers/capabilities.ts";

/** What a job may set for any container. */
export interface ContainerSettings {
  /** Where it begins, inside; empty: the driver's default. */
  readonly workFolder: string;
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly processesMax: number;
}

/** Processes and threads of a task at once, unless it says otherwise. */
export const processesMaxDefault = 4_096;
const processesMaxMax = 4_194_304;
const capabilitiesMax = 64;

export type Read<T> = { readonly ok: true; readonly settings: T } | { readonly ok: false; readonly problem: string };

export const containerFields: readonly string[] = ["work_dir", "cap_add", "cap_drop", "pids_limit"];

/** The fields of `TaskSpec.driver_config_json`; a problem names the field. Pure. */
export function readFields(json: string, driver: string, known: readonly string[]): Read<Record<string, unknown>> {
  let raw: unknown;
  try {
    raw = json === "" ? {} : JSON.parse(json);
  } catch {
    return { ok: false, problem: "driver_config_json: no JSON" };
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw))
    return { ok: false, problem: "driver_config_json: must be an object" };
  const settings = raw as Record<string, unknown>;
  const unknown = Object.keys(settings).find((name) => !known.includes(name));
  if (unknown !== undefined) return { ok: false, problem: `config.${unknown}: driver ${driver} knows no such setting` };
  return { ok: true, settings };
}

/** What all drivers of containers read alike. Pure. */
export function readContainerSettings(fields: Record<string, unknown>): Read<ContainerSettings> {
  const { work_dir = "", cap_add = [], cap_drop = [], pids_limit = processesMaxDefault } = fields;
  if (!isPath(work_dir))
    return { ok: false, problem: "config.work_dir: must be an absolute path inside the container" };
  if (!isNames(cap_add)) return { ok: false, problem: "config.cap_add: must be a list of capabilities' names" };
  if (!isNames(cap_drop)) return { ok: false, problem: "config.cap_drop: must be a list of capabilities' names" };
  const refused = refusedCapability(cap_add);
  if (refused !== undefined)
    return {
      ok: false,
      problem: `config.cap_add: ${refused} is not given; there are ${grantableCapabilities.join(", ")}`,
    };
  if (!Number.isInteger(pids_limit) || (pids_limit as number) < 1 || (pids_limit as number) > processesMaxMax)
    return { ok: false, problem: `config.pids_limit: must be a whole number from 1 to ${processesMaxMax}` };
  return {
    ok: true,
    settings: {
      workFolder: work_dir,
      capabilitiesAdded: cap_add,
      capabilitiesDropped: cap_drop,
      processesMax: pids_limit as number,
    },
  };
}

export function isPath(value: unknown): value is string {
  return typeof value === "string" && (value === "" || (value.startsWith("/") && !value.includes("\0")));
}

function isNames(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= capabilitiesMax &&
    value.every((name) => typeof name === "string" && /^[A-Za-z_]{1,40}$/.test(name))
  );
}
