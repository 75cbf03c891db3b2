import type { GetMasterResponse } from "@muster/proto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { etcdLack } from "../../master/src/store/etcd/etcd.test.fixture.ts";
import { until } from "./dev-cluster.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { Ledger } from "./ledger.ts";
import { type Daemon, MastersFleet, type Ways } from "./masters-fleet.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 180_000 });

/** Who is connected to somebody that is silent notices it by keepalive within 30 s; the machine may be busy. */
const silenceMs = 120_000;

describe.skipIf(etcdLack !== undefined)(`bad networks${etcdLack === undefined ? "" : `: ${etcdLack}`}`, () => {
  const fleet = new MastersFleet();
  let watch: LeaderWatch;
  let ledger: Ledger;
  let before: number[] = [];

  beforeAll(async () => {
    await fleet.start({ isRelayed: true });
    watch = new LeaderWatch(fleet);
    ledger = new Ledger(fleet);
    await fleet.run("web", 2);
    before = await fleet.pids("web");
  });
  afterAll(async () => {
    await watch?.stop();
    await ledger?.lost().catch(() => {});
    await fleet.remove();
  });

  async function leader(): Promise<{ master: GetMasterResponse; daemon: Daemon; ways: Ways }> {
    let master: GetMasterResponse | undefined;
    await until("one leads", silenceMs, async () => {
      master = await fleet.leader();
      return master !== undefined;
    });
    const { address = "" } = master ?? {};
    const [daemon, ways] = [fleet.masters.get(address), fleet.ways.get(address)];
    if (!master || !daemon || !ways) throw new Error(`nobody knows the master at ${address}`);
    return { master, daemon, ways };
  }

  /** Agent and framework are with the leader, and what ran runs on. */
  async function goesOn(): Promise<void> {
    let now: readonly number[] = [];
    // A call that was with a master when it ended has failed, and is made again.
    await until("the job is told as it was", silenceMs, async () => {
      now = await fleet.pids("web").catch(() => []);
      return now.length === 2;
    });
    expect(now).toEqual(before);
    await ledger.goesOn();
  }

  /** Asked where it listens, it sends to the leader: it stands by. */
  async function standsBy(address: string): Promise<void> {
    await until("it stands by", silenceMs, async () => {
      const { code, stdout } = await fleet.muster("agent", "list", "--address", fleet.listening.get(address) ?? "");
      return code === 0 && stdout.includes("a1");
    });
    expect(await fleet.ask(address)).toBeUndefined();
  }

  test.each(["silence", "cut"] as const)(
    "a leader that etcd does not reach any more ends, another leads, and back in reach it stands by: %s",
    async (how) => {
      await goesOn();
      const { master, daemon, ways } = await leader();
      ways.etcd[how]();
      const next = await fleet.nextLeader(master);
      expect(next.epoch).toBeGreaterThan(master.epoch);
      expect(await daemon.ended).not.toBe(0);
      expect(daemon.output()).toMatch(/lease|lead/);
      // Started again while it is still cut off it is nobody yet.
      await goesOn();
      expect(await fleet.ask(master.address)).toBeUndefined();
      ways.etcd.mend();
      await standsBy(master.address);
      await fleet.run(`after-${how}`, 1);
    },
  );

  test("agent and frameworks lose the leader, which leads on: tasks run on, what ends meanwhile is told later", async () => {
    await goesOn();
    const { master, ways } = await leader();
    ways.peers.cut();
    await until("nobody reaches it", silenceMs, async () => (await fleet.ask(master.address)) === undefined);
    const [victim = 0, other] = before;
    process.kill(victim, "SIGKILL");
    await ledger.goesOn();
    expect((await fleet.ask(fleet.listening.get(master.address) ?? ""))?.epoch).toBe(master.epoch);
    ways.peers.mend();
    let now: number[] = [];
    await until("the one that ended has a successor", silenceMs, async () => {
      now = await fleet.pids("web").catch((): number[] => []);
      return now.length === 2 && !now.includes(victim);
    });
    expect(now).toContain(other);
    before = now;
    await fleet.run("after-loss", 1);
  });

  test("a leader that nobody hears any more, neither etcd nor anybody else, is left for another; what it was sent comes too late", async () => {
    await goesOn();
    const { master, daemon, ways } = await leader();
    ways.etcd.silence();
    ways.peers.silence();
    const changes = [{ key: "late", put: Buffer.from("late") }];
    const late = new Promise<boolean>((resolve) => {
      const request = { framework: "late", changes };
      fleet.transport.call("State.Transact", master.address, request, silenceMs, ({ ok }) => resolve(ok));
    });
    const next = await fleet.nextLeader(master);
    await goesOn();
    await fleet.run("meanwhile", 1);
    expect(await daemon.ended).not.toBe(0);
    ways.etcd.mend();
    ways.peers.mend();
    expect(await late).toBe(false);
    await standsBy(master.address);
    const found = await new Promise<boolean>((resolve) => {
      const request = { framework: "late", key: "late" };
      fleet.transport.call("State.Get", next.address, request, 10_000, ({ ok }) => resolve(ok));
    });
    expect(found).toBe(false);
    expect((await leader()).master.epoch).toBe(next.epoch);
  });

  test("a master that was cut off while it stood by leads when its turn comes", async () => {
    await goesOn();
    const { master } = await leader();
    const [first = "", second = ""] = [...fleet.masters.keys()].filter((address) => address !== master.address);
    fleet.ways.get(first)?.etcd.silence();
    // Longer than its lease, which etcd ends meanwhile.
    await until("its place in the queue is lost", silenceMs, () =>
      /election yet|lease/.test(fleet.masters.get(first)?.output() ?? ""),
    );
    expect((await leader()).master.epoch).toBe(master.epoch);
    fleet.ways.get(first)?.etcd.mend();
    await standsBy(first);
    for (const address of [second, master.address]) fleet.masters.get(address)?.child.kill("SIGKILL");
    expect((await fleet.nextLeader(master)).address).toBe(first);
    await goesOn();
  });

  test("in all that there was one leader at a time, and nothing acknowledged was lost", async () => {
    await watch.stop();
    expect(watch.violations).toEqual([]);
    expect(watch.reignCount).toBeGreaterThanOrEqual(4);
    expect(ledger.acknowledgedCount).toBeGreaterThan(20);
    expect(await ledger.lost()).toEqual([]);
  });
});
