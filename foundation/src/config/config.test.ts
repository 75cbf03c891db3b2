import { expect, test } from "vitest";
import {
  environmentKey,
  fileKey,
  flagKey,
  flagOption,
  integerOption,
  listOption,
  resolveConfig,
  textOption,
} from "./config.ts";

const schema = {
  offerTimeoutMs: integerOption(60_000, "how long an offer is held", { min: 100, max: 3_600_000 }),
  listen: textOption("127.0.0.1:5050", "host and port"),
  logLevel: textOption("info", "how much is told", ["debug", "info"]),
  roles: listOption([], "roles"),
  memoryMiBMax: integerOption(0, "memory"),
  dry: flagOption(false, "only look"),
};

test("the later source wins, and says so", () => {
  const { values, origins } = resolveConfig(schema, {
    file: { offer_timeout_ms: 1_000, listen: "a:1", roles: ["x"] },
    environment: { MUSTER_OFFER_TIMEOUT_MS: "2000", MUSTER_PORT_http: "20001", MUSTER_ROLES: "a,b" },
    flags: { offerTimeoutMs: 3_000, listen: undefined },
  });
  expect(values).toMatchObject({ offerTimeoutMs: 3_000, listen: "a:1", logLevel: "info", roles: ["a", "b"] });
  expect(origins).toMatchObject({ offerTimeoutMs: "flag", listen: "file", logLevel: "default", roles: "environment" });
  expect(Object.isFrozen(values)).toBe(true);
});

test("an unknown key is an error with a suggestion, except in the environment", () => {
  expect(() => resolveConfig(schema, { file: { offer_timeot_ms: 1 } })).toThrow(/did you mean "offer_timeout_ms"/);
  expect(() => resolveConfig(schema, { flags: { lisen: "x" } })).toThrow(/did you mean "listen"/);
  expect(() => resolveConfig(schema, { environment: { MUSTER_NOTHING: "x" } })).not.toThrow();
});

test("a wrong value names its key and what it needs", () => {
  expect(() => resolveConfig(schema, { environment: { MUSTER_OFFER_TIMEOUT_MS: "1s" } })).toThrow(
    'MUSTER_OFFER_TIMEOUT_MS: needs a whole number, not "1s"',
  );
  expect(() => resolveConfig(schema, { flags: { offerTimeoutMs: 5 } })).toThrow(/from 100 to 3600000/);
  expect(() => resolveConfig(schema, { file: { log_level: "loud" } })).toThrow(/one of debug, info/);
  expect(() => resolveConfig(schema, { file: { dry: "maybe" } })).toThrow(/true or false/);
  expect(() => resolveConfig(schema, { file: { roles: [1] } })).toThrow(/list of texts/);
});

test("one name has one spelling in each place", () => {
  expect(fileKey("memoryMiBMax")).toBe("memory_mib_max");
  expect(environmentKey("offerTimeoutMs")).toBe("MUSTER_OFFER_TIMEOUT_MS");
  expect(flagKey("offerTimeoutMs")).toBe("offer-timeout-ms");
});
