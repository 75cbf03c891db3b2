// The compiled agent in a process of its own, which kills itself before that one of its effects on the world that it is
// told: a file that is written, a program that is run, a signal, a word to another process.
import child from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

const [dataFolder, master, settingsJson] = process.argv.slice(2);
const settings = JSON.parse(settingsJson);
const { kill } = process;
let isCounting = false;
let count = 0;
let point = 0;

function effect() {
  if (isCounting && ++count === point) kill.call(process, process.pid, "SIGKILL");
}

function counted(owner, ...names) {
  for (const name of names) {
    const original = owner[name];
    owner[name] = function (...words) {
      effect();
      return original.apply(this, words);
    };
  }
}

const handle = await fs.promises.open("/dev/null");
counted(Object.getPrototypeOf(handle), "write", "writev", "writeFile", "appendFile", "sync", "datasync", "truncate");
await handle.close();
counted(child, "spawn", "spawnSync", "execFile", "execFileSync");
counted(fs, "writeFileSync", "mkdirSync", "renameSync", "rmSync", "rmdirSync", "unlinkSync", "chmodSync", "chownSync");
counted(fs, "writeFile", "mkdir", "rename", "rm", "rmdir", "unlink", "write", "writev", "fsync", "fdatasync");
counted(fs.promises, "writeFile", "mkdir", "rename", "rm", "rmdir", "unlink", "symlink");
counted(net.Socket.prototype, "write");
counted(process, "kill");
syncBuiltinESMExports();

process.on("message", (message) => {
  if (message.type === "arm") {
    count = 0;
    point = message.point;
    isCounting = true;
  } else process.send({ type: "count", count });
});

const { grpcTransport, silentLog: log, systemClock: clock, systemRandom: random } = await import("@muster/foundation");
const { createAgent, executorSocketPath, hostWorld, serveExecutors } = await import("@muster/executors");
const world = hostWorld({ dataFolder, clock, log, hasNets: true, ...settings.world });
const agent = createAgent(
  { clock, random, transport: grpcTransport({}), log, ...world },
  {
    name: "own",
    address: "127.0.0.1:5051",
    masters: [master],
    dataFolder,
    version: "0.1.0",
    diskFreeFractionMin: 0,
    taskEnvironment: { PATH: process.env["PATH"] ?? "" },
    host: settings.host,
    executorSocket: executorSocketPath(dataFolder),
  },
);
serveExecutors(agent, dataFolder, log, () => agent.start());
