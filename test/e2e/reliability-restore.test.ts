import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runEtcdCommand, snapshotLack } from "../../master/src/store/etcd/etcd.test.fixture.ts";
import { until } from "./dev-cluster.ts";
import { MastersFleet, patienceMs } from "./masters-fleet.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 180_000 });

const guide = readFileSync(new URL("../../docs/guide-operators.md", import.meta.url), "utf8").replaceAll("\\\n", " ");

/** The guide's own command. */
function commandOf(words: string): string {
  const found = guide.split("\n").find((line) => line.startsWith("etcdctl ") && line.includes(words));
  if (found === undefined) throw new Error(`the guide has no command of etcdctl with ${words}`);
  return found;
}

describe.skipIf(snapshotLack !== undefined)(
  `a restored etcd${snapshotLack === undefined ? "" : `: ${snapshotLack}`}`,
  () => {
    const fleet = new MastersFleet();
    const backup = join(fleet.folder, "backup.db");
    beforeAll(() => fleet.start());
    afterAll(() => fleet.remove());

    async function jobsThatRun(): Promise<string> {
      const { stdout } = await fleet.muster("task", "list", "--json");
      const { data } = JSON.parse(stdout) as { data: { id: string; state: string }[] };
      const running = data.filter(({ state }) => state === "TASK_RUNNING").map(({ id }) => id.split(".")[0] ?? "");
      return [...new Set(running)].sort().join();
    }

    async function leader() {
      let found: Awaited<ReturnType<MastersFleet["leader"]>>;
      await until("one leads", patienceMs, async () => {
        found = await fleet.leader();
        return found !== undefined;
      });
      if (!found) throw new Error("nobody leads");
      return found;
    }

    test("case 6: masters come up on it as the guide says, higher in epoch than all before; what is newer goes as the guide says", async () => {
      const { etcd } = fleet;
      await fleet.run("kept", 1);
      await fleet.run("gone", 1);
      const [pid] = await fleet.pids("kept");
      runEtcdCommand(commandOf("snapshot save"), {
        "--endpoints=10.0.0.1:2379": `--endpoints=${etcd.endpoint}`,
        "/var/backups/muster.db": backup,
      });
      // Since then: another reign, another start of the framework, a job less and a job more.
      const first = await leader();
      fleet.masters.get(first.address)?.child.kill("SIGKILL");
      const second = await fleet.nextLeader(first);
      await fleet.stopOther("services");
      fleet.startOther("services");
      await until(
        "the framework is back",
        patienceMs,
        async () => (await fleet.job("gone").catch(() => undefined)) !== undefined,
      );
      await fleet.run("later", 1);
      const [laterPid] = await fleet.pids("later");
      const stopped = await fleet.muster("job", "stop", "--purge", "--yes", "gone");
      expect(stopped.code, stopped.stderr).toBe(0);
      await until("the purged job has ended", patienceMs, async () => (await jobsThatRun()) === "kept,later");

      await fleet.stopMasters();
      for (const name of ["services", "cron"]) await fleet.stopOther(name);
      await etcd.stop();
      rmSync(etcd.flag("data-dir"), { recursive: true });
      runEtcdCommand(commandOf("snapshot restore"), {
        "/var/backups/muster.db": backup,
        "/var/lib/etcd": etcd.flag("data-dir"),
        m1: etcd.flag("name"),
        "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380": etcd.flag("initial-cluster"),
        "http://10.0.0.1:2380": etcd.flag("initial-advertise-peer-urls"),
      });
      etcd.start();
      await etcd.ready();
      for (const address of [...fleet.masters.keys()]) fleet.startMaster(address);
      for (const name of ["services", "cron"]) fleet.startOther(name);

      const third = await leader();
      expect(third.clusterId).toBe(first.clusterId);
      expect(third.epoch).toBeGreaterThan(second.epoch);
      // What the copy has is so again, what it does not know of is ended, and what is in both never noticed.
      await until("jobs are those of the copy", 2 * patienceMs, async () => (await jobsThatRun()) === "gone,kept");
      expect(await fleet.pids("kept")).toEqual([pid]);
      expect((await fleet.muster("job", "status", "later")).code).not.toBe(0);
      const { stdout: agents } = await fleet.muster("agent", "list", "--json");
      expect(agents).toContain('"a1"');
      // Handed in again it starts, under an id that it never had.
      await fleet.run("later", 1);
      expect(await fleet.pids("later")).not.toEqual([laterPid]);
      expect(await jobsThatRun()).toBe("gone,kept,later");
    });
  },
);
