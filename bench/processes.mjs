// What benchmarks of real processes share: free ports, figures of a process, and children that answer questions.
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { pause } from "./dev-cluster.mjs";

/** Streams that one client's connection bears: fewer than a master lets it have, as those beyond would wait for ever. */
export const streamsPerConnection = 800;
/** Clock ticks a second in /proc, on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Asks a child, if nothing else is said, how far it is. */
export function ask(child, what = "counts") {
  const answer = answerOf(child);
  child.send(what);
  return answer;
}

/** A child's next message, or an error if it ends before. */
export function answerOf(child) {
  return new Promise((done, failed) => {
    const ended = (code) => failed(new Error(`${child.spawnargs[1]} ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      done(message);
    });
  });
}

export function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Waits until something listens at a port of this host. */
export async function reachable(port) {
  for (let tries = 0; tries < 200; tries++) {
    const open = await new Promise((done) => {
      const socket = connect(port, "127.0.0.1", () => done(true)).on("error", () => done(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
    await pause(50);
  }
  throw new Error("the master did not start");
}

/** Seconds of processor that a process has used. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export function memoryMiB(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** The most that a process has held at one time. */
export function memoryMostMiB(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}
