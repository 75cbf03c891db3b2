import {
  type ContainerSettings,
  containerFields,
  isPath,
  type Read,
  readContainerSettings,
  readFields,
} from "../container-settings.ts";

/** What a job may set for a container beside its command. */
export interface ExecSettings extends ContainerSettings {
  /** Empty: the host's programs. */
  readonly rootfs: string;
}

/** Reads `TaskSpec.driver_config_json`; a problem names the field. Pure. */
export function readExecSettings(json: string): Read<ExecSettings> {
  const fields = readFields(json, "exec", ["rootfs", ...containerFields]);
  if (!fields.ok) return fields;
  const { rootfs = "" } = fields.settings;
  if (!isPath(rootfs)) return { ok: false, problem: "config.rootfs: must be an absolute path" };
  const container = readContainerSettings(fields.settings);
  return container.ok ? { ok: true, settings: { rootfs, ...container.settings } } : container;
}
