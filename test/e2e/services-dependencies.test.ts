import { Health, JobState, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { batch, checkedPort, Lab, service, submission } from "../virtual/lab.ts";

const needs = (job: string, condition = "healthy"): string => `depends_on {
      job       = "${job}"
      condition = "${condition}"
    }`;
const of = (lab: Lab, job: string) => lab.tasks().filter(({ taskId }) => taskId.startsWith(`${job}.`));
const live = (lab: Lab, job: string) => lab.alive().filter(({ taskId }) => taskId.startsWith(`${job}.`)).length;
const isHealthy = (lab: Lab, job: string): boolean =>
  of(lab, job).some(
    ({ status }) => status?.state === TaskState.TASK_RUNNING && status.health === Health.HEALTH_HEALTHY,
  );

test("case 19: of three jobs that need one another each starts only when the one before it is healthy, in whatever order they come", () => {
  const lab = new Lab({ frameworks: ["services"] }).start();
  lab.submit(service("a", { group: `${needs("b")}\n${checkedPort}` }));
  lab.submit(service("b", { group: `${needs("c")}\n${checkedPort}` }));
  lab.run(5_000);
  expect(lab.call("Jobs.Get", { name: "a" }).job?.message).toContain("0 of 1 instances of job b are healthy");
  lab.submit(service("c", { group: checkedPort }));
  const seen: string[] = [];
  lab.until(() => {
    for (const name of ["a", "b", "c"])
      if (live(lab, name) > 0 && !seen.includes(name)) {
        // Whatever has begun: what it needs is healthy by then.
        const needed = { a: "b", b: "c", c: "" }[name] ?? "";
        if (needed !== "") expect(isHealthy(lab, needed)).toBe(true);
        seen.push(name);
      }
    return isHealthy(lab, "a");
  }, 60_000);
  expect(seen).toEqual(["c", "b", "a"]);
});

test("case 20: of two jobs that are stopped the one that needs the other is gone before that one is told to end", () => {
  const lab = new Lab({ frameworks: ["services"] }).start();
  lab.submit(service("b", { group: checkedPort }));
  // It takes its time: it ends when it is killed.
  lab.submit(service("a", { group: needs("b"), args: ["serve", "deaf"], task: 'kill_timeout = "8s"' }));
  lab.until(() => live(lab, "a") === 1, 60_000);
  lab.call("Jobs.Stop", { name: "a", purge: true });
  lab.call("Jobs.Stop", { name: "b", purge: true });
  lab.until(() => {
    if (live(lab, "a") > 0) expect(live(lab, "b")).toBe(1);
    return live(lab, "a") === 0;
  }, 30_000);
  lab.until(() => live(lab, "b") === 0, 10_000);
  lab.until(() => lab.call("Jobs.List", { prefix: "", type: "" }).jobs.length === 0, 10_000, 500);
});

test("case 21: a job that would wait for itself by way of others is refused with the way, also when both come at once", () => {
  const lab = new Lab({ frameworks: ["services"] }).start();
  lab.submit(service("a", { group: needs("b") }));
  lab.submit(service("b", { group: needs("c") }));
  const last = service("c", { group: needs("a") });
  expect(() => lab.submit(last)).toThrow("c needs a, a needs b, b needs c");
  expect(lab.call("Jobs.List", { prefix: "", type: "" }).jobs.map(({ name }) => name)).toEqual(["a", "b"]);
  lab.submit(service("c"));
  lab.until(() => live(lab, "a") === 1, 30_000);
  const both = [
    ["d", "e"],
    ["e", "d"],
  ].map(([name, needed]) =>
    lab.ask("Jobs.Run", submission(service(name as string, { group: needs(needed as string) }))),
  );
  lab.until(() => both.every(({ result }) => result !== undefined), 10_000);
  expect(both.map(({ result }) => result?.ok)).toEqual([true, false]);
});

test("a service waits for a batch job of another framework, also when that comes later and the framework dies meanwhile", () => {
  const lab = new Lab().start();
  lab.submit(service("web", { group: needs("import", "complete") }));
  lab.run(20_000);
  expect(lab.call("Jobs.Get", { name: "web" }).job?.message).toContain("there is no job import");
  lab.submit(batch("import", { seconds: 20 }));
  lab.run(10_000);
  expect(lab.call("Jobs.Get", { name: "web" }).job?.message).toContain("job import is not complete yet");
  lab.services?.crash();
  lab.run(5_000);
  expect(live(lab, "web")).toBe(0);
  lab.until(() => live(lab, "web") === 1, 60_000, 100);
  const { jobs } = lab.call("Jobs.List", { prefix: "import", type: "" });
  expect(jobs.map(({ state }) => state)).toEqual([JobState.JOB_STATE_COMPLETE]);
});
