import { resolveConfig, silentLog } from "@muster/foundation";
import { expect, test } from "vitest";
import { schemas } from "./schemas.ts";
import { advertisedAddress, storeOf } from "./store.ts";

const settings = (flags: Record<string, string>) => resolveConfig(schemas.master, { flags }).values;
const store = "etcd://10.0.0.1:2379";

test("a master is found where it listens, or where it says; one of several that listens everywhere must say", () => {
  expect(advertisedAddress(settings({}))).toBe("127.0.0.1:5050");
  expect(advertisedAddress(settings({ listen: "0.0.0.0:5050", store, advertise: "10.0.0.1:5050" }))).toBe(
    "10.0.0.1:5050",
  );
  expect(advertisedAddress(settings({ listen: "0.0.0.0:5050" }))).toBe("0.0.0.0:5050");
  for (const listen of ["0.0.0.0:5050", "[::]:5050"])
    expect(() => advertisedAddress(settings({ listen, store }))).toThrow(/tells the others no address/);
  expect(() => advertisedAddress(settings({ advertise: "here" }))).toThrow(/--advertise needs host:port/);
});

test("a store that is no etcd, or settings of it that do not fit, are told before anything is started", () => {
  expect(() => storeOf(settings({ store: "redis://a" }), silentLog)).toThrow(/--store needs etcd:/);
  expect(() => storeOf(settings({ store, etcdUser: "muster" }), silentLog)).toThrow(/etcdPasswordFile/);
});
