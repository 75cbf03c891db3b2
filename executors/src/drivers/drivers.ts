import { dockerDriver } from "./docker/index.ts";
import type { Driver } from "./driver.ts";
import { execDriver } from "./exec/index.ts";
import { ociDriver } from "./oci/index.ts";
import { processDriver } from "./process/index.ts";

const drivers: readonly Driver[] = [processDriver, execDriver, ociDriver, dockerDriver];

/** The driver of that name; a description without a driver means the plain process. */
export function findDriver(name: string): Driver | undefined {
  return drivers.find((driver) => driver.name === name);
}

export const driverNames: readonly string[] = drivers.map(({ name }) => name);
