import { expect, test } from "vitest";
import { ephemeralOverlap } from "./ephemeral-overlap.ts";

test("case 49: a range that overlaps that of outgoing connections is warned of with the exact sysctl", () => {
  expect(ephemeralOverlap(31_000, 34_000, "32768\t60999\n", "8080,9000-9010\n")).toBe(
    "ports 32768 to 34000 of the agent's range are also taken by outgoing connections (32768 to 60999): " +
      "sysctl -w net.ipv4.ip_local_reserved_ports=8080,9000-9010,32768-34000",
  );
});

test("an overlap that is reserved, or none at all, is no matter for a warning", () => {
  expect(ephemeralOverlap(31_000, 34_000, "32768\t60999\n", "32000-35000")).toBeUndefined();
  expect(ephemeralOverlap(20_000, 32_000, "32768\t60999\n", "\n")).toBeUndefined();
  expect(ephemeralOverlap(20_000, 32_000, "", "")).toBeUndefined();
});
