import { type Store, silentLog, systemClock, systemRandom } from "@muster/foundation";
import { electionConformance, storeConformance } from "@muster/foundation/store-conformance";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EtcdMember, etcdLack, startEtcd } from "./etcd.test.fixture.ts";
import { etcdStore } from "./etcd.ts";
import { etcdSettings } from "./settings.ts";

const deps = { clock: systemClock, random: systemRandom, log: silentLog };
let roots = 0;

/** A store of its own in the cluster of these members; called again it is another view of the same. */
function opener(members: readonly EtcdMember[], leaseSeconds = 5): () => Promise<Store> {
  const url = `etcd://${members.map(({ endpoint }) => endpoint).join(",")}/test-${++roots}`;
  const none = { caFile: "", certFile: "", keyFile: "", user: "", passwordFile: "" };
  const settings = etcdSettings({ url, ...none, leaseSeconds });
  return async () => etcdStore(deps, settings);
}

describe.skipIf(etcdLack !== undefined)(`etcd${etcdLack === undefined ? "" : `: ${etcdLack}`}`, () => {
  let members: EtcdMember[] = [];
  beforeAll(async () => {
    members = await startEtcd();
  }, 60_000);
  afterAll(() => {
    for (const member of members) member.remove();
  });

  for (const { name, run } of [...storeConformance, ...electionConformance])
    test(`the etcd store must ${name}`, { timeout: 60_000 }, () => run(opener(members)));

  test("clusters of one etcd do not see each other", async () => {
    const [one, other] = [await opener(members)(), await opener(members)()];
    await new Promise((done) =>
      one.transact({ compares: [], puts: [{ key: "a", value: new Uint8Array([1]) }], deletes: [] }, done),
    );
    expect(await new Promise((done) => other.list("", {}, done))).toEqual({ ok: true, value: [] });
    for (const store of [one, other]) await new Promise<void>((done) => store.close(done));
  });
});
