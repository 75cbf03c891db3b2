import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@muster/foundation";
import { afterEach, beforeEach, expect } from "vitest";
import { nodeProber } from "../../executors/src/health/node-prober.ts";
import { childrenOf, processesWith, until } from "../../executors/src/health/probing.test.support.ts";
import { startTicks } from "../../executors/src/shim/processes.ts";
import type { ProbeResult, ProbeTarget } from "../../executors/src/world/prober.ts";
import { testWith } from "./machine.ts";

let dataFolder = "";
let prober = nodeProber({ dataFolder: "/nowhere", log: silentLog });
const cleanups: (() => void)[] = [];

beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), "muster-health-"));
  prober = nodeProber({ dataFolder, log: silentLog });
});

afterEach(() => {
  prober.stop();
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  rmSync(dataFolder, { recursive: true, force: true });
});

const probe = (target: ProbeTarget, timeoutMs = 5_000): Promise<ProbeResult> =>
  new Promise((resolve) => prober.probe(target, timeoutMs, resolve));

/** A network namespace with loopback alone; gives its path. */
function aNamespace(): string {
  const name = `muster-test-${process.pid}-${cleanups.length}`;
  execFileSync("ip", ["netns", "add", name]);
  cleanups.push(() => execFileSync("ip", ["netns", "del", name]));
  execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  return `/run/netns/${name}`;
}

async function inside(namespace: string, program: string): Promise<ChildProcess> {
  const command = [`--net=${namespace}`, process.execPath, "-e", program];
  const child = spawn("nsenter", command, { stdio: ["ignore", "pipe", "inherit"], cwd: process.cwd() });
  cleanups.push(() => child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

const servers = `
const { Server, ServerCredentials } = require("@grpc/grpc-js");
const { HealthImplementation } = require("grpc-health-check");
const rpc = new Server();
new HealthImplementation({ "": "SERVING" }).addToServer(rpc);
require("node:net").createServer(() => {}).listen(7002, "127.0.0.1");
require("node:http").createServer((_, r) => r.end("well")).listen(7000, "::1", () =>
  require("node:http").createServer((_, r) => r.end("x".repeat(300000))).listen(7000, "127.0.0.1", () =>
    rpc.bindAsync("127.0.0.1:7001", ServerCredentials.createInsecure(), () => console.log("ready"))));
`;

testWith(
  ["ip"],
  "case 80: checks of servers bound to loopback in a namespace pass by the dialer, and fail when they stop",
  async () => {
    const namespace = aNamespace();
    const child = await inside(namespace, servers);
    const place = { ip: "127.0.0.1", port: 7000 };
    const http = { type: "http", ...place, method: "GET", path: "/", headers: {}, body: "" } as const;
    const targets: readonly ProbeTarget[] = [
      { ...http, namespace },
      { ...http, ip: "::1", namespace },
      { type: "tcp", ...place, namespace },
      { type: "grpc", ip: "127.0.0.1", port: 7001, service: "", namespace },
    ];
    const ask = () => Promise.all(targets.map((target) => probe(target)));
    expect((await ask()).map(({ message }) => message)).toEqual(["HTTP 200", "HTTP 200", "connected", "SERVING"]);
    // The host has no such server: it was the namespace's that answered.
    expect((await probe({ type: "tcp", ...place })).passed).toBe(false);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const after = await ask();
    expect(after.map(({ passed }) => passed)).toEqual([false, false, false, false]);
    expect(after[0]?.message).toContain("connect: Connection refused");
    await until(() => childrenOf(prober.helperPid as number).length === 0, "no process left");
  },
);

testWith(
  ["ip"],
  "case 81: a check through the dialer that hangs has failed at its timeout, and no process is left",
  async () => {
    const namespace = aNamespace();
    await inside(namespace, servers);
    const place = { ip: "127.0.0.1", port: 7002, namespace };
    const http = { type: "http", ...place, method: "GET", path: "/", headers: {}, body: "" } as const;
    expect((await probe(http, 200)).message).toBe("no answer within 200 ms");
    // Nobody answers at all: the connection is not even refused.
    const device = [
      "link add d0 type veth peer name d1",
      "addr add 10.9.9.1/24 dev d0",
      "link set d0 up",
      "link set d1 up",
    ];
    for (const words of device) execFileSync("ip", ["-n", namespace.slice("/run/netns/".length), ...words.split(" ")]);
    expect((await probe({ ...http, ip: "10.9.9.2" }, 200)).message).toBe("no answer within 200 ms");
    await until(() => childrenOf(prober.helperPid as number).length === 0, "no process left");
  },
);

testWith(["ip"], "a path that is no namespace fails a check with the reason", async () => {
  const plain = `${dataFolder}/plain`;
  writeFileSync(plain, "");
  const place = { type: "tcp", ip: "127.0.0.1", port: 7000 } as const;
  expect((await probe({ ...place, namespace: plain })).message).toContain("is no network namespace");
  expect((await probe({ ...place, namespace: `${dataFolder}/none` })).message).toContain("No such file");
});

testWith(
  ["ip"],
  "a script check is in its task's namespaces, cgroups and account, with no more rights, and ends whole",
  async () => {
    const cgroup = aCgroup();
    // A task as a container runtime would make it: namespaces of its own, another account, few capabilities, no more to
    // come.
    const limits = ["--bounding-set=-all,+chown", "--no-new-privs", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const spaces = ["--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "--mount-proc"];
    const made = `hostname inside; cd /tmp; exec setpriv ${limits.join(" ")} sleep 300`;
    const child = spawn("unshare", [...spaces, "sh", "-c", made], { stdio: "ignore" });
    cleanups.push(() => child.kill("SIGKILL"));
    await until(() => nameOf(childrenOf(child.pid as number)[0]) === "sleep", "the task");
    const pid = childrenOf(child.pid as number)[0] as number;
    cleanups.push(() => process.kill(pid, "SIGKILL"));
    writeFileSync(`${cgroup}/cgroup.procs`, String(pid));
    const mark = `muster-inside-${process.pid}`;
    const environment = { PATH: process.env["PATH"] ?? "", MARK: mark };
    const base = { type: "script", id: "g.0", pid, startTicks: startTicks(pid) as number, environment } as const;
    const script = (text: string): ProbeTarget => ({ ...base, command: "sh", arguments: ["-c", text] });
    const seen = "hostname; pwd; id -u; id -g; tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/1/comm";
    expect((await probe(script(seen))).message.split(/\s+/).slice(3)).toEqual([
      "inside",
      "/tmp",
      "65534",
      "65534",
      "lo",
      "sleep",
    ]);
    const rights = await probe(script("grep -E '^(CapBnd|CapEff|NoNewPrivs):' /proc/self/status"));
    expect(rights.message.split(/\s+/).slice(3)).toEqual([
      "CapEff:",
      "0000000000000000",
      "CapBnd:",
      "0000000000000001",
      "NoNewPrivs:",
      "1",
    ]);
    expect((await probe(script("cat /proc/self/cgroup"))).message).toContain(cgroup.slice(cgroup.lastIndexOf("/")));
    const hanging = probe(script("setsid sh -c 'sleep 301 & exit' & sleep 301"), 500);
    await until(() => processesWith(mark).length === 3, "its processes");
    expect((await hanging).message).toBe("no answer within 500 ms");
    await until(() => processesWith(mark).length === 0, "nothing left");
    expect(existsSync(`/proc/${pid}`)).toBe(true);
  },
);

function nameOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** A cgroup of the host's first hierarchy that can be written to. */
function aCgroup(): string {
  const roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
  const root = roots.find((one) => existsSync(`${one}/cgroup.procs`)) ?? "/sys/fs/cgroup";
  const path = `${root}/muster-test-${process.pid}`;
  mkdirSync(path);
  cleanups.push(() => removeCgroup(path));
  return path;
}

/** The kernel takes a moment to let go of processes that have ended. */
function removeCgroup(path: string): void {
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if (tries > 1_000) throw error;
      spawnSync("sleep", ["0.005"]);
    }
  }
}
