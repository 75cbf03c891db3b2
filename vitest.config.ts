import { defineConfig } from "vitest/config";

const conditions = ["muster-source", "node"];
/** What a test of real processes waits for comes late where other programs need the machine, too. */
const patient = { expect: { poll: { timeout: 15_000 } } };
const source = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/** One worker per core at most; projects that need machines, ports or kernel objects run their files one after another. */
export default defineConfig({
  ...source,
  test: {
    maxWorkers: 2,
    reporters: ["default", "./test/reporters/closing-line.ts"],
    projects: [
      {
        ...source,
        test: {
          name: "unit",
          sequence: { groupOrder: 0 },
          include: [
            "{proto,foundation,master,framework-sdk,testing,executors,jobspecs,discovery,dashboard,cli}/src/**/*.test.ts",
            "frameworks/*/src/**/*.test.ts",
            // nomad-runs has a cluster of real processes.
            "test/{repository,corpora}/**/!(nomad-runs).test.ts",
          ],
          pool: "threads",
          // They share no state but what they make: loading every module anew for each file took a third of the time.
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        ...source,
        test: {
          name: "conformance",
          sequence: { groupOrder: 1 },
          include: ["test/{conformance,reliability}/**/*.test.ts"],
          pool: "forks",
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        ...source,
        test: {
          name: "simulation",
          sequence: { groupOrder: 2 },
          include: ["test/simulation/**/*.test.ts"],
          pool: "forks",
          isolate: false,
          // One long computation a worker, with a worker for each core: helpers of the compiler and the collector only get
          // in its way, and what is made in a run dies young. A quarter of the time.
          execArgv: [
            "--single-threaded",
            "--no-lazy-feedback-allocation",
            "--always-sparkplug",
            "--max-semi-space-size=32",
          ],
          testTimeout: 300_000,
          // The campaign is compiled first.
          hookTimeout: 300_000,
        },
      },
      {
        ...source,
        test: {
          name: "e2e",
          ...patient,
          isolate: false,
          sequence: { groupOrder: 3 },
          include: ["test/e2e/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...source,
        test: {
          name: "e2e-root",
          ...patient,
          isolate: false,
          sequence: { groupOrder: 4 },
          include: ["test/e2e-root/**/*.test.ts", "test/corpora/nomad-runs.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...source,
        test: {
          name: "chaos",
          sequence: { groupOrder: 5 },
          include: ["test/chaos/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
