import type { Task } from "./types.ts";

/** The settings of a task's driver as agents read them (`TaskSpec.driver_config_json`); empty: none. */
export function driverConfigJson({ config }: Task): string {
  const { container, image } = config;
  if (!container && !image) return "";
  const { rootfs, workDir, capAdd, capDrop, pidsLimit } = container ?? {};
  return JSON.stringify({
    image: image?.name,
    entrypoint: image?.entrypoint,
    force_pull: image?.forcePull,
    image_pull_timeout_ms: image?.pullTimeoutMs,
    auth: image?.auth,
    rootfs,
    work_dir: workDir,
    cap_add: capAdd,
    cap_drop: capDrop,
    pids_limit: pidsLimit,
  });
}
