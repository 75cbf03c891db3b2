import { TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { Lab, service } from "../virtual/lab.ts";

const masterHosts = ["master", "services"];

function withOne(disconnect: string): { lab: Lab; host: string } {
  const lab = new Lab({ frameworks: ["services"] }).start();
  lab.submit(service("web", { group: `disconnect {\n${disconnect}\n }` }));
  lab.until(() => lab.alive().length === 1, 30_000);
  lab.run(10_000);
  return { lab, host: lab.alive()[0]?.agent ?? "" };
}

const on = (lab: Lab, host: string): number => lab.alive().filter(({ agent }) => agent === host).length;

test("an agent without a master ends what is to stop there, in time, also if it starts again meanwhile; another takes its place", () => {
  for (const dies of [false, true]) {
    const { lab, host } = withOne('stop_on_client_after = "2m"');
    lab.cut([host], masterHosts);
    lab.run(60_000);
    expect(on(lab, host)).toBe(1);
    if (dies) lab.cluster.agents.find(({ name }) => name === host)?.program.crash();
    lab.until(() => on(lab, host) === 0, 200_000, 1_000);
    lab.until(() => lab.alive().length === 1, 200_000, 1_000);
    lab.heal([host], masterHosts);
    lab.run(60_000);
    expect(lab.alive().map(({ agent }) => agent)).not.toContain(host);
    expect(lab.alive()).toHaveLength(1);
  }
});

test("a short loss of the master ends nothing", () => {
  const { lab, host } = withOne('stop_on_client_after = "2m"');
  for (let i = 0; i < 3; i++) {
    lab.cut([host], masterHosts);
    lab.run(100_000);
    lab.heal([host], masterHosts);
    lab.run(60_000);
  }
  expect(on(lab, host)).toBe(1);
});

test("an instance that is cut off and not to be replaced is waited for, and is the same when it is back", () => {
  const { lab, host } = withOne("replace = false");
  const [before] = lab.alive();
  lab.cut([host], masterHosts);
  lab.run(1_200_000);
  expect(lab.alive()).toHaveLength(1);
  lab.heal([host], masterHosts);
  lab.until(() => lab.tasks().some(({ status }) => status?.state === TaskState.TASK_RUNNING), 120_000, 1_000);
  lab.run(30_000);
  expect(lab.alive()).toEqual([before]);
});

test("the original stays where the job says so, though its replacement has run for ten minutes", () => {
  const { lab, host } = withOne('lost_after = "1h"\n reconcile = "keep_original"');
  lab.cut([host], masterHosts);
  lab.until(() => lab.alive().length === 2, 200_000, 1_000);
  lab.run(600_000);
  lab.heal([host], masterHosts);
  lab.until(() => lab.alive().length === 1, 120_000, 1_000);
  expect(on(lab, host)).toBe(1);
});
