// What the supervision of a task costs: the memory that a shim has for itself, and the time from the asking for a command
// that does nothing to the durable record of its end.
import { mkdirSync, readFileSync } from "node:fs";
import { hostWorld } from "@muster/executors";
import { silentLog, systemClock } from "@muster/foundation";

const sleeperCount = 50;
const roundCount = 100;

/** Private memory of each shim in KiB, and the time of each `true` in milliseconds. */
export async function shimCosts(dataFolder) {
  mkdirSync(`${dataFolder}/tasks`, { recursive: true });
  const { proc } = hostWorld({ dataFolder, clock: systemClock, log: silentLog });
  const waiting = new Map();
  const hear = (event) => (id, fact) => {
    if (event === "started" && waiting.get(id)?.until !== "started") return;
    waiting.get(id)?.resolve(fact);
  };
  proc.start(
    {
      started: hear("started"),
      exited: hear("exited"),
      failed: (id, message) => waiting.get(id)?.reject(new Error(message)),
      lost: (id) => waiting.get(id)?.reject(new Error("its shim died")),
      memoryKilled: () => {},
      absent: () => {},
    },
    new Set(),
  );
  const run = (id, until, command, ...words) =>
    new Promise((resolve, reject) => {
      waiting.set(id, { until, resolve, reject });
      proc.spawn(specOf(id, command, words));
    });
  const ids = Array.from({ length: sleeperCount }, (_, at) => `sleeper-${at}.0`);
  const started = await Promise.all(ids.map((id) => run(id, "started", "sleep", "1000")));
  const privateKiB = started.map(({ shimPid }) => privateMemory(shimPid));
  await Promise.all(
    ids.map((id) => {
      const ended = new Promise((resolve) => waiting.set(id, { until: "exited", resolve }));
      proc.kill(id);
      return ended;
    }),
  );
  const times = [];
  for (let round = 0; round < roundCount; round++) {
    const began = performance.now();
    await run(`true-${round}.0`, "exited", "true");
    times.push(performance.now() - began);
  }
  proc.stop();
  return { privateKiB, times };
}

function specOf(id, command, words) {
  const environment = { PATH: process.env.PATH };
  return { id, command, arguments: words, environment, user: "", logFileBytesMax: 65_536, logFilesMax: 1 };
}

function privateMemory(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return [...text.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, [, kiB]) => sum + Number(kiB), 0);
}
