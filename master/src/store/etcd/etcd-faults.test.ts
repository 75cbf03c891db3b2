import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type MusterError,
  type Result,
  type Store,
  type StoreChange,
  type StoreOutcome,
  silentLog,
  systemClock,
  systemRandom,
} from "@muster/foundation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EtcdMember, etcdLack, Relay, requiredFlags, startEtcd } from "./etcd.test.fixture.ts";
import { etcdStore } from "./etcd.ts";
import { type EtcdOptions, etcdSettings } from "./settings.ts";

const deps = { clock: systemClock, random: systemRandom, log: silentLog };
const patient = { timeout: 30_000, interval: 20 };
const leaseSeconds = 3;
let roots = 0;

function open(
  members: readonly { readonly endpoint: string }[],
  root = `faults-${++roots}`,
  options: Partial<EtcdOptions> = {},
): Store {
  const scheme = options.caFile ? "etcds" : "etcd";
  const url = `${scheme}://${members.map(({ endpoint }) => endpoint).join(",")}/${root}`;
  const none = { caFile: "", certFile: "", keyFile: "", user: "", passwordFile: "" };
  return etcdStore(deps, etcdSettings({ url, ...none, leaseSeconds, ...options }));
}

const put = (store: Store, key: string, text: string): Promise<Result<StoreOutcome>> =>
  new Promise((done) => store.transact({ compares: [], puts: [{ key, value: Buffer.from(text) }], deletes: [] }, done));
const get = (store: Store, key: string): Promise<string | undefined> =>
  new Promise((done, failed) =>
    store.get(key, (found) =>
      found.ok ? done(found.value && Buffer.from(found.value.value).toString()) : failed(found.error),
    ),
  );
const close = (store: Store): Promise<void> => new Promise((done) => store.close(done));

function stand(store: Store, name = "a:1"): { epochs: number[]; losses: MusterError[] } {
  const told: { epochs: number[]; losses: MusterError[] } = { epochs: [], losses: [] };
  store.campaign(
    name,
    (epoch) => told.epochs.push(epoch),
    (error) => told.losses.push(error),
  );
  return told;
}

const lead = async (store: Store, name?: string) => {
  const told = stand(store, name);
  await expect.poll(() => told.epochs.length, patient).toBe(1);
  return told;
};

/** etcd's own JSON gateway, for what operators do by hand. */
async function byHand(member: EtcdMember, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`http://${member.endpoint}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
  return (await answer.json()) as Record<string, unknown>;
}

async function revisionOf(member: EtcdMember): Promise<string> {
  const { header } = (await byHand(member, "kv/range", { key: base64("/") })) as { header: { revision: string } };
  return header.revision;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe.skipIf(etcdLack !== undefined)(`etcd fails${etcdLack === undefined ? "" : `: ${etcdLack}`}`, () => {
  let members: EtcdMember[] = [];
  const only = (): EtcdMember => members[0] as EtcdMember;
  beforeAll(async () => {
    members = await startEtcd();
  }, 60_000);
  afterAll(() => {
    for (const member of members) member.remove();
  });

  test("an etcd with limits of its own is refused at the start, and the flag that it needs is named", {
    timeout: 60_000,
  }, async () => {
    for (const [missing, given] of requiredFlags.map(
      (flag) => [flag, requiredFlags.filter((one) => one !== flag)] as const,
    )) {
      const narrow = await startEtcd(1, given);
      const store = open(narrow);
      try {
        const told = stand(store);
        await expect.poll(() => told.losses.length, patient).toBe(1);
        expect(told.losses[0]?.message).toContain(`start each of its members with ${missing}`);
        expect(told.epochs).toEqual([]);
      } finally {
        await close(store);
        for (const member of narrow) member.remove();
      }
    }
  });

  test("a leader that etcd does not answer any more gives up before its lease has ended, and writes nothing after", {
    timeout: 60_000,
  }, async () => {
    const store = open(members);
    const told = await lead(store);
    only().kill("SIGSTOP");
    try {
      await expect.poll(() => told.losses.length, patient).toBe(1);
      expect(told.losses[0]?.message).toContain("could not be renewed in time");
      expect(store.leads()).toBe(false);
      await expect(put(store, "late", "x")).resolves.toMatchObject({ ok: false, error: { kind: "not-leader" } });
    } finally {
      only().kill("SIGCONT");
    }
    await expect.poll(() => get(store, "late"), patient).toBe(undefined);
    await close(store);
  });

  test("a leader that resigns and closes its store in one breath is followed long before its lease would have ended", {
    timeout: 60_000,
  }, async () => {
    const [store, other] = [1, 2].map(() => open(members, "resigned", { leaseSeconds: 60 })) as [Store, Store];
    const epochs: number[] = [];
    const resign = store.campaign(
      "a:1",
      (epoch) => epochs.push(epoch),
      () => {},
    );
    await expect.poll(() => epochs.length, patient).toBe(1);
    const told = stand(other, "b:2");
    resign();
    await close(store);
    await expect.poll(() => told.epochs.length, patient).toBe(1);
    expect(told.epochs[0]).toBeGreaterThan(epochs[0] ?? 0);
    await close(other);
  });

  test("a leader whose key was taken away writes nothing, and is told", { timeout: 60_000 }, async () => {
    const [store, root] = [open(members, "robbed"), "/robbed/leader/"];
    const told = await lead(store);
    expect(await put(store, "a", "1")).toMatchObject({ ok: true });
    await byHand(only(), "kv/deleterange", { key: base64(root), range_end: base64("/robbed/leader0") });
    expect(await put(store, "a", "2")).toMatchObject({ ok: false, error: { kind: "not-leader" } });
    await expect.poll(() => told.losses.length, patient).toBe(1);
    const other = open(members, "robbed");
    expect(await get(other, "a")).toBe("1");
    await close(other);
    await close(store);
  });

  test("what was not answered can't be done after what was written later", { timeout: 60_000 }, async () => {
    const slow = await Relay.to(only().endpoint);
    const store = open([slow, only()], undefined, { leaseSeconds: 10 });
    try {
      await lead(store);
      slow.hold();
      expect(await put(store, "a", "first")).toMatchObject({ ok: false, error: { kind: "unavailable" } });
      await expect.poll(async () => (await put(store, "a", "second")).ok, patient).toBe(true);
      const before = await revisionOf(only());
      slow.release();
      // etcd has seen it: what it does with it, it does before what comes now.
      await new Promise((wait) => setTimeout(wait, 1_000));
      expect(await get(store, "a")).toBe("second");
      expect(await revisionOf(only())).toBe(before);
    } finally {
      await close(store);
      slow.close();
    }
  });

  test("changes that etcd has forgotten before they were told are found out", { timeout: 60_000 }, async () => {
    const way = await Relay.to(only().endpoint);
    const [store, writer] = [open([way], "forgotten"), open(members, "forgotten")];
    try {
      await put(store, "w/kept", "1");
      await put(store, "w/gone", "1");
      const seen: string[] = [];
      store.watch("w/", (changes: readonly StoreChange[]) => {
        for (const one of changes)
          seen.push(one.type === "put" ? `${one.entry.key}=${Buffer.from(one.entry.value)}` : `-${one.key}`);
      });
      await put(store, "w/kept", "2");
      await expect.poll(() => seen, patient).toEqual(["w/kept=2"]);
      way.cut();
      for (const text of ["3", "4"]) await put(writer, "w/kept", text);
      await new Promise((done) => writer.transact({ compares: [], puts: [], deletes: ["w/gone"] }, done));
      await byHand(only(), "kv/compaction", { revision: await revisionOf(only()) });
      way.mend();
      // Of two changes of one entry the last is told.
      await expect.poll(() => seen, patient).toEqual(["w/kept=2", "-w/gone", "w/kept=4"]);
      await put(writer, "w/new", "1");
      await expect.poll(() => seen.at(-1), patient).toBe("w/new=1");
    } finally {
      await close(store);
      await close(writer);
      way.close();
    }
  });

  test("of three members each may fail: the leader goes on leading, writes and watches go on with the next", {
    timeout: 90_000,
  }, async () => {
    const three = await startEtcd(3);
    const store = open(three, undefined, { leaseSeconds: 10 });
    try {
      const told = await lead(store);
      const seen: string[] = [];
      store.watch("w/", (changes) => {
        for (const change of changes) if (change.type === "put") seen.push(change.entry.key);
      });
      for (const [index, member] of three.entries()) {
        member.kill("SIGSTOP");
        await expect.poll(async () => (await put(store, `w/${index}`, "x")).ok, patient).toBe(true);
        await expect.poll(() => seen.at(-1), patient).toBe(`w/${index}`);
        member.kill("SIGCONT");
        await member.ready();
      }
      expect(told.losses).toEqual([]);
      expect(store.leads()).toBe(true);
    } finally {
      await close(store);
      for (const member of three) member.remove();
    }
  });

  test("an etcd that asks for a user and password is given them, and says whom it does not know", {
    timeout: 60_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-etcd-user-"));
    const guarded = await startEtcd();
    const member = guarded[0] as EtcdMember;
    try {
      await byHand(member, "auth/user/add", { name: "root", password: "rootword" });
      await byHand(member, "auth/user/grant", { user: "root", role: "root" });
      await byHand(member, "auth/user/add", { name: "muster", password: "right" });
      await byHand(member, "auth/role/add", { name: "muster" });
      const perm = { permType: "READWRITE", key: base64("/own/"), range_end: base64("/own0") };
      await byHand(member, "auth/role/grant", { name: "muster", perm });
      await byHand(member, "auth/user/grant", { user: "muster", role: "muster" });
      await byHand(member, "auth/enable", {});
      const passwordFile = join(folder, "password");
      writeFileSync(passwordFile, "right\n");
      const known = open(guarded, "own", { user: "muster", passwordFile });
      await lead(known);
      expect(await put(known, "a", "1")).toMatchObject({ ok: true });
      await close(known);
      for (const [options, root, kind] of [
        [{}, "own", "unauthenticated"],
        [{ user: "muster", passwordFile }, "not-own", "forbidden"],
      ] as const) {
        const refused = open(guarded, root, options);
        const told = stand(refused);
        await expect.poll(() => told.losses.length, patient).toBe(1);
        expect(told.losses[0]).toMatchObject({ kind });
        await close(refused);
      }
    } finally {
      member.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("an etcd behind TLS is reached with its authority and our certificate, and not without", {
    timeout: 60_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-etcd-tls-"));
    const path = (name: string): string => join(folder, name);
    const ssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore", cwd: folder });
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    ssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=authority");
    writeFileSync(path("san"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
    for (const name of ["server", "client"]) {
      ssl("req", "-new", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
      const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "san"];
      ssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signed);
    }
    const files = ["--cert-file", path("server.pem"), "--key-file", path("server.key")];
    const secure = await startEtcd(1, [
      ...requiredFlags,
      ...files,
      "--trusted-ca-file",
      path("ca.pem"),
      "--client-cert-auth",
    ]);
    try {
      const ours = { caFile: path("ca.pem"), certFile: path("client.pem"), keyFile: path("client.key") };
      const store = open(secure, "tls", ours);
      await lead(store);
      expect(await put(store, "a", "1")).toMatchObject({ ok: true });
      await close(store);
      const stranger = open(secure, "tls", { caFile: path("ca.pem") });
      await expect(get(stranger, "a")).rejects.toMatchObject({ kind: "unavailable" });
      await close(stranger);
    } finally {
      for (const member of secure) member.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
