import { StatusReason, type TaskSpec } from "@muster/proto";
import { readReference } from "../../images/reference.ts";
import type { Driver } from "../driver.ts";
import { imageDriver } from "../oci/index.ts";
import { readOciSettings } from "../oci/settings.ts";

/** Runs a container from an image by an Engine of the host. */
export const dockerDriver: Driver = {
  ...imageDriver("docker"),
  validate(spec, config) {
    const fault = imageDriver("docker").validate(spec, config);
    if (fault || !isOnHost(spec)) return fault;
    const message = `config.image: an Engine runs images of registries only; this agent has no driver oci, which runs those of its disk`;
    return { reason: StatusReason.REASON_UNSUPPORTED, message };
  },
};

/**
 * The driver that a description means on an agent with these: `docker` means the Engine where one runs that can have the
 * image, else `oci`. Pure.
 */
export function resolveDriver(spec: TaskSpec, drivers: ReadonlySet<string>): string {
  if (spec.driver !== "docker" || !drivers.has("oci")) return spec.driver;
  return drivers.has("docker") && !isOnHost(spec) ? "docker" : "oci";
}

/** Whether its image lies on the disk of the agent, as a layout or an archive. */
function isOnHost({ driverConfigJson }: TaskSpec): boolean {
  const read = readOciSettings(driverConfigJson);
  const reference = read.ok ? readReference(read.settings.image) : undefined;
  return reference?.ok === true && reference.reference.registry === "";
}
