import type { StoreEntry } from "@muster/foundation";
import { expect, test } from "vitest";
import { Lab, service } from "../virtual/lab.ts";

const job = (name: string): string => service(name, { count: 1, args: ["serve"] });

/** What the store had at that moment; the processes that use it die, as whoever restores a copy sees to it. */
class Copy {
  readonly #lab: Lab;
  readonly #entries: [string, StoreEntry][];

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#entries = [...lab.cluster.store.data.entries];
  }

  restore(): void {
    const { cluster, services } = this.#lab;
    services?.crash("killed", 2_000);
    cluster.master.program.crash("killed", 1_000);
    cluster.store.data.entries.clear();
    for (const [key, entry] of this.#entries) cluster.store.data.entries.set(key, entry);
  }
}

test("after a copy of the store was restored, what it does not know of is ended, and what it knows starts anew", () => {
  const lab = new Lab({ agents: 1, frameworks: ["services"] }).start();
  lab.submit(job("kept"));
  lab.submit(job("gone"));
  lab.until(() => lab.alive().length === 2);
  const [kept] = lab.alive().filter(({ taskId }) => taskId.startsWith("kept."));
  const copy = new Copy(lab);
  lab.call("Jobs.Stop", { name: "gone", purge: true });
  lab.submit(job("later"));
  lab.until(() => lab.alive().length === 2 && lab.alive().some(({ taskId }) => taskId.startsWith("later.")));
  copy.restore();
  const jobs = () => [...new Set(lab.alive().map(({ taskId }) => taskId.split(".")[0]))].sort().join();
  lab.until(() => jobs() === "gone,kept", 120_000);
  expect(lab.alive().filter(({ taskId }) => taskId.startsWith("kept."))).toEqual([kept]);
});

test("what is started after a copy was restored has ids that nobody had since it was made", () => {
  const lab = new Lab({ agents: 1, frameworks: ["services"] }).start();
  const copy = new Copy(lab);
  // A start that the copy does not know of, and a job of that time.
  lab.services?.crash("killed", 1_000);
  lab.run(10_000);
  lab.submit(job("web"));
  lab.until(() => lab.alive().length === 1);
  const before = lab.alive()[0]?.taskId;
  lab.call("Jobs.Stop", { name: "web", purge: true });
  lab.until(() => lab.alive().length === 0);
  copy.restore();
  lab.run(30_000);
  lab.submit(job("web"));
  lab.until(() => lab.alive().length === 1, 60_000);
  expect(lab.alive()[0]?.taskId).not.toBe(before);
});
