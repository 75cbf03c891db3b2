import { codecOf, emptyMessage, silentLog, systemClock, systemRandom } from "@muster/foundation";
import { createScheduler } from "@muster/framework-sdk";
import type { Offer } from "@muster/proto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { etcdLack } from "../../master/src/store/etcd/etcd.test.fixture.ts";
import { askSrv, until } from "./dev-cluster.ts";
import { MastersFleet, patienceMs } from "./masters-fleet.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

describe.skipIf(etcdLack !== undefined)(`several masters${etcdLack === undefined ? "" : `: ${etcdLack}`}`, () => {
  const fleet = new MastersFleet();
  const run = (name: string, count: number): Promise<void> => fleet.run(name, count);
  const pids = (name: string): Promise<number[]> => fleet.pids(name);
  const portOf = (address: string): number => Number(address.split(":")[1]);

  beforeAll(() => fleet.start());
  afterAll(() => fleet.remove());

  test("case 7: of three masters that start together one leads, and the others send everybody there", async () => {
    const answers = await Promise.all([...fleet.masters.keys()].map((address) => fleet.ask(address)));
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
    const leader = await fleet.leader();
    for (const address of fleet.masters.keys()) {
      const { code, stdout, stderr } = await fleet.muster("agent", "list", "--address", address);
      expect([code, stdout], stderr).toEqual([0, expect.stringContaining("a1")]);
    }
    const { ports } = await askSrv(fleet.dns, "_leader._tcp.muster");
    expect(ports).toEqual([portOf(leader?.address ?? "")]);
  });

  test("the leader is killed: another leads, tasks run on, statuses arrive, DNS and the dashboard follow, new jobs run", async () => {
    await run("web", 3);
    const before = await pids("web");
    expect(before).toHaveLength(3);
    const killed = await fleet.leader();
    if (!killed) throw new Error("nobody leads");
    fleet.masters.get(killed.address)?.child.kill("SIGKILL");
    const next = await fleet.nextLeader(killed);
    expect(next.epoch).toBeGreaterThan(killed.epoch);
    expect(next.clusterId).toBe(killed.clusterId);
    // The job's status is known again when its framework and its agent are back.
    await until("the job is told as it was", patienceMs, async () => {
      const now = await fleet.job("web").catch(() => undefined);
      return now?.running === 3;
    });
    expect(await pids("web")).toEqual(before);
    const [victim = 0] = before;
    process.kill(victim, "SIGKILL");
    await until("the one that ended has a successor", patienceMs, async () => {
      const now = await pids("web");
      return now.length === 3 && !now.includes(victim);
    });
    expect((await pids("web")).filter((pid) => before.includes(pid))).toEqual(before.filter((pid) => pid !== victim));
    await run("after", 1);
    await until("DNS names the new leader", patienceMs, async () => {
      const { ports } = await askSrv(fleet.dns, "_leader._tcp.muster");
      return ports.join() === String(portOf(next.address));
    });
    const known = await askSrv(fleet.dns, "_http._after._tcp.services.muster");
    expect(known.ports).toHaveLength(1);
    await until("the dashboard shows the new leader", patienceMs, async () => {
      const answer = await fetch(`http://${fleet.edge}/muster.v1.Operator/GetMaster`, {
        ...{ method: "POST", headers: { "content-type": "application/json" }, body: "{}" },
      });
      return answer.ok && ((await answer.json()) as { address: string }).address === next.address;
    });
  });

  test("case 1: a leader that was stopped for longer than its lease writes and launches nothing when it goes on, and ends", async () => {
    await run("calm", 1);
    const before = await pids("calm");
    const stopped = await fleet.leader();
    const daemon = fleet.masters.get(stopped?.address ?? "");
    if (!stopped || !daemon) throw new Error("nobody leads");
    let offer: Offer | undefined;
    const scheduler = createScheduler(
      { clock: systemClock, random: systemRandom, transport: fleet.transport, log: silentLog },
      { address: stopped.address, framework: { name: "ghost", roles: ["ghost"], failoverTimeoutMs: 0 } },
      {
        offers: ([first]) => {
          offer ??= first;
        },
        update: () => {},
      },
    );
    try {
      scheduler.start();
      await until("an offer comes", patienceMs, () => offer !== undefined);
      daemon.child.kill("SIGSTOP");
      // What waits in its sockets is read when it goes on: a launch by an offer of its own, and a write.
      const spec = codecOf("TaskSpec").encode({
        ...emptyMessage("TaskSpec"),
        ...{ driver: "process", command: "sleep", arguments: ["4321"] },
      });
      const resources = { ...emptyMessage("Resources"), cpuMillis: 10, memoryMiB: 16 };
      const task = { ...emptyMessage("TaskInfo"), taskId: "ghost-1", name: "ghost", resources, spec };
      const group = { ...emptyMessage("TaskGroup"), launchId: "ghost-launch", tasks: [task] };
      scheduler.accept([offer?.offerId ?? ""], [group]);
      const changes = [{ key: "ghost", put: Buffer.from("late") }];
      const write = new Promise<{ ok: boolean }>((resolve) => {
        const request = { framework: "ghost", changes };
        fleet.transport.call("State.Transact", stopped.address, request, 120_000, resolve);
      });
      const next = await fleet.nextLeader(stopped);
      daemon.child.kill("SIGCONT");
      expect(await daemon.ended).not.toBe(0);
      expect(daemon.output()).toMatch(/lease|lead/);
      expect((await write).ok).toBe(false);
      // Everybody is with the new leader, who has heard of neither.
      await until("the job is told as it was", patienceMs, async () => {
        const now = await fleet.job("calm").catch(() => undefined);
        return now?.running === 1;
      });
      expect(await pids("calm")).toEqual(before);
      const { stdout } = await fleet.muster("task", "list", "--all", "--json");
      expect(stdout).toContain("calm");
      expect(stdout).not.toContain("ghost-1");
      const entry = await new Promise((resolve) =>
        fleet.transport.call("State.Get", next.address, { framework: "ghost", key: "ghost" }, 5_000, resolve),
      );
      expect(entry).toMatchObject({ ok: false, error: { kind: "not-found" } });
      await run("later", 1);
    } finally {
      scheduler.stop();
    }
  });
});
