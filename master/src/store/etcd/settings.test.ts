import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type EtcdOptions, etcdSettings } from "./settings.ts";

const read = (options: Partial<EtcdOptions>) =>
  etcdSettings({
    url: "etcd://a",
    ...{ caFile: "", certFile: "", keyFile: "", user: "", passwordFile: "", leaseSeconds: 5 },
    ...options,
  });

test("an address of etcd names its members, with etcd's port where none is said, and the cluster's place in it", () => {
  expect(read({ url: "etcd://10.0.0.1:2000,b.example,[::1]:7/one/two/" })).toMatchObject({
    endpoints: ["10.0.0.1:2000", "b.example:2379", "[::1]:7"],
    root: "/one/two/",
    leaseSeconds: 5,
  });
  expect(read({ url: "etcd://a" }).root).toBe("/muster/");
  expect(read({ url: "etcd://a/" }).root).toBe("/muster/");
});

test("the password is the first line of its file, and stands nowhere else", () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-etcd-settings-"));
  try {
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "secret word\nmore\n");
    expect(read({ user: "muster", passwordFile }).user).toEqual({ name: "muster", password: "secret word" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what does not fit together is refused with the name of the setting", () => {
  const faults: [Partial<EtcdOptions>, string][] = [
    [{ url: "http://a" }, "store"],
    [{ url: "etcd://" }, "store"],
    [{ url: "etcd://a:0" }, "store"],
    [{ url: "etcd://a,,b" }, "store"],
    [{ caFile: "ca.pem" }, "etcdCa"],
    [{ url: "etcds://a", certFile: "c.pem" }, "etcdCert"],
    [{ url: "etcds://a", caFile: "/not/there.pem" }, "etcdCa"],
    [{ user: "muster" }, "etcdUser"],
    [{ user: "muster", passwordFile: "/not/there" }, "etcdPasswordFile"],
  ];
  for (const [options, field] of faults)
    expect(() => read(options), JSON.stringify(options)).toThrow(expect.objectContaining({ kind: "invalid", field }));
});
