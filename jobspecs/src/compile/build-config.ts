import { type ContainerConfig, type Driver, hasImage, type ImageConfig, type TaskConfig } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

const inContainers = ["work_dir", "cap_add", "cap_drop", "pids_limit"];
const ofImages = ["image", "entrypoint", "force_pull", "image_pull_timeout", "auth"];

/** Settings by the drivers that have them; `command` and `args` all have. */
const settings: Readonly<Record<Driver, readonly string[]>> = {
  process: [],
  exec: ["rootfs", ...inContainers],
  oci: [...ofImages, ...inContainers],
  docker: [...ofImages, ...inContainers],
};

export function buildConfig(block: DecodedBlock | undefined, driver: Driver | undefined): TaskConfig {
  const config = { command: block?.text("command") ?? "", args: block?.texts("args") ?? [] };
  if (!block || !driver) return config;
  if (block.text("command") === "")
    block.error("command", { code: "job/no-command", summary: "the command must not be empty" });
  else if (!hasImage(driver) && config.command === "")
    block.error(undefined, { code: "schema/missing", summary: `block "config" needs "command"`, detail: "Program." });
  refuseOthers(block, driver);
  const container = buildContainer(block);
  return {
    ...config,
    ...(Object.keys(container).length > 0 && driver !== "process" ? { container } : {}),
    ...(hasImage(driver) ? { image: buildImage(block) } : {}),
  };
}

function refuseOthers(block: DecodedBlock, driver: Driver): void {
  for (const name of new Set(Object.values(settings).flat())) {
    if (settings[driver].includes(name) || !(block.has(name) || block.first(name))) continue;
    const owners = (Object.keys(settings) as Driver[]).filter((other) => settings[other].includes(name));
    block.error(name, {
      code: "job/not-of-driver",
      summary: `${name} is a setting of driver ${owners.join(" and ")}`,
      hint: `driver = "${owners[0]}"`,
    });
  }
}

function buildContainer(block: DecodedBlock): ContainerConfig {
  for (const name of ["rootfs", "work_dir"]) {
    const path = block.text(name);
    if (path !== undefined && !path.startsWith("/"))
      block.error(name, { code: "job/bad-path", summary: `${name} must be an absolute path` });
  }
  const [rootfs, workDir, pidsLimit] = [block.text("rootfs"), block.text("work_dir"), block.number("pids_limit")];
  const [capAdd, capDrop] = [block.texts("cap_add"), block.texts("cap_drop")];
  return {
    ...(rootfs === undefined ? {} : { rootfs }),
    ...(workDir === undefined ? {} : { workDir }),
    ...(capAdd ? { capAdd } : {}),
    ...(capDrop ? { capDrop } : {}),
    ...(pidsLimit === undefined ? {} : { pidsLimit }),
  };
}

function buildImage(block: DecodedBlock): ImageConfig {
  const image = block.text("image") ?? "";
  if (image === "")
    block.error(block.has("image") ? "image" : undefined, {
      code: "job/no-image",
      summary: "the task has no image",
      hint: 'image = "alpine:3.19"',
    });
  const [entrypoint, pullTimeoutMs] = [block.texts("entrypoint"), block.number("image_pull_timeout")];
  const auth = block.first("auth");
  return {
    name: image,
    ...(entrypoint ? { entrypoint } : {}),
    ...(block.bool("force_pull") ? { forcePull: true } : {}),
    ...(pullTimeoutMs === undefined ? {} : { pullTimeoutMs }),
    ...(auth ? { auth: { username: auth.text("username") ?? "", password: auth.text("password") ?? "" } } : {}),
  };
}
