// How long one check of each kind takes, one after the other, and how much of that is the agent's own processor time. The
// rest is spent in the dialer, in the command, and in the task that answers.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { hostWorld } from "@muster/executors";
import { silentLog, systemClock } from "@muster/foundation";

const roundCount = 200;
const timeoutMs = 5_000;

const server = `
const { Server, ServerCredentials } = require("@grpc/grpc-js");
const { HealthImplementation } = require("grpc-health-check");
const rpc = new Server();
new HealthImplementation({ "": "SERVING" }).addToServer(rpc);
const http = require("node:http").createServer((_, response) => response.end("well"));
http.listen(0, "127.0.0.1", () => rpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, port) =>
  console.log(http.address().port + " " + port)));
`;

/** Kinds of checks with the time of each round, and the mean processor time of this process, both in milliseconds. */
export async function checkTimes(dataFolder) {
  const world = hostWorld({ dataFolder, clock: systemClock, log: silentLog });
  mkdirSync(`${dataFolder}/tasks/g/0/work`, { recursive: true });
  const child = spawn(process.execPath, ["-e", server], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [httpPort, rpcPort] = await new Promise((done) => {
      child.stdout.once("data", (bytes) => done(String(bytes).trim().split(" ").map(Number)));
    });
    const place = { ip: "127.0.0.1", port: httpPort };
    const http = { type: "http", ...place, method: "GET", path: "/", headers: {}, body: "" };
    const startTicks = Number(readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1].split(" ")[19]);
    const task = { id: "g.0", pid: child.pid, startTicks, environment: { PATH: process.env.PATH } };
    const kinds = [
      { kind: "tcp", target: { type: "tcp", ...place } },
      { kind: "http", target: http },
      { kind: "grpc", target: { type: "grpc", ip: "127.0.0.1", port: rpcPort, service: "" } },
      { kind: "script", target: { type: "script", ...task, command: "/bin/true", arguments: [] } },
    ];
    if (spawnSync("unshare", ["--net", "true"]).status === 0)
      kinds.push({
        kind: "http by the dialer",
        target: { ...http, namespace: `/proc/${child.pid}/ns/net` },
        peer: "nsenter and curl 11.6 ms",
      });
    const results = [];
    for (const { target, ...rest } of kinds) results.push({ ...rest, ...(await measure(world.prober, target)) });
    return results;
  } finally {
    child.kill("SIGKILL");
    world.prober.stop();
  }
}

async function measure(prober, target) {
  const ask = () => new Promise((done) => prober.probe(target, timeoutMs, done));
  const first = await ask();
  if (!first.passed) throw new Error(`${target.type}: ${first.message}`);
  const times = [];
  const before = process.cpuUsage();
  for (let round = 0; round < roundCount; round++) {
    const beganMs = performance.now();
    await ask();
    times.push(performance.now() - beganMs);
  }
  const { user, system } = process.cpuUsage(before);
  return { times, cpu: (user + system) / 1_000 / roundCount };
}
