import { emptyMessage } from "@muster/foundation";
import { expect, test } from "vitest";
import { resolveDriver } from "./index.ts";

const registry = "alpine:3.19";
const onHost = "oci:/images:base";

test.each([
  ["docker", registry, ["docker", "oci"], "docker"],
  ["docker", registry, ["oci"], "oci"],
  ["docker", registry, ["docker"], "docker"],
  ["docker", registry, ["process"], "docker"],
  ["docker", onHost, ["docker", "oci"], "oci"],
  ["docker", onHost, ["docker"], "docker"],
  ["oci", registry, ["docker", "oci"], "oci"],
  ["exec", registry, ["docker", "oci", "exec"], "exec"],
])("driver %s with image %s on an agent with %j is %s", (driver, image, drivers, meant) => {
  const spec = { ...emptyMessage("TaskSpec"), driver, driverConfigJson: JSON.stringify({ image }) };
  expect(resolveDriver(spec, new Set(drivers))).toBe(meant);
});
