// What a network of mode bridge costs: made and removed one at a time, and many at once, dual stack with one port; beside
// the chain of CNI plugins that does the same (loopback, bridge, firewall, portmap). Needs root, ip and nft.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measureOverlay } from "./network/overlay.mjs";

const oneByOne = 20;
const together = 100;
const peerRounds = 5;
const pluginFolder = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"].find((folder) =>
  ["loopback", "bridge", "firewall", "portmap"].every((plugin) => existsSync(join(folder, plugin))),
);
const settings = { subnet: "10.214.0.0/20", subnet6: "fd78:214::/64", mtu: 0, closedPorts: [] };

export async function run(log) {
  const fault = whyNot();
  if (fault !== undefined) {
    log(`network: not measured: ${fault}`);
    return [];
  }
  const { hostWorld } = await import("../executors/dist/index.js");
  const { silentLog, systemClock } = await import("../foundation/dist/index.js");
  const dataFolder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const { nets } = hostWorld({ dataFolder, clock: systemClock, log: silentLog, hasNets: true, bridge: settings });
  const waiting = new Map();
  const answer = (key, act) =>
    new Promise((resolve, reject) => {
      waiting.set(key, { resolve, reject });
      act();
    });
  nets.start({
    ready: (key) => waiting.get(key).resolve(),
    failed: (key, message) => waiting.get(key).reject(new Error(message)),
    gone: (key) => waiting.get(key).resolve(),
    overlay: () => {},
  });
  nets.keep([]);
  const build = (index) => answer(`k${index}`, () => nets.build(specOf(index)));
  const remove = (index) => answer(`k${index}`, () => nets.remove(specOf(index)));
  try {
    log(`network: ${oneByOne} one at a time, then ${together} at once, dual stack, one port for tcp and udp`);
    await build(0);
    const adds = [];
    const removals = [];
    for (let index = 1; index <= oneByOne; index++) adds.push(await timed(() => build(index)));
    for (let index = 1; index <= oneByOne; index++) removals.push(await timed(() => remove(index)));
    const indexes = Array.from({ length: together }, (_, at) => 100 + at);
    const addMs = await timed(() => Promise.all(indexes.map(build)));
    const removeMs = await timed(() => Promise.all(indexes.map(remove)));
    await remove(0);
    const peer = pluginFolder === undefined ? undefined : measurePlugins(log);
    const beside = (ms) => (peer === undefined ? {} : { peer: `CNI ${Math.round(ms)} ms` });
    return [
      figure("ADD, one at a time", median(adds), "ms", peer && { ...beside(peer.add), ratio: peer.add / median(adds) }),
      figure(
        "DEL, one at a time",
        median(removals),
        "ms",
        peer && { ...beside(peer.del), ratio: peer.del / median(removals) },
      ),
      figure(`ADD, ${together} at once`, (together / addMs) * 1e3, "a second"),
      figure(`DEL, ${together} at once`, (together / removeMs) * 1e3, "a second"),
      ...(await measureOverlay(log)),
    ];
  } finally {
    await new Promise((resolve) => nets.stop(resolve));
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

function whyNot() {
  if (process.getuid() !== 0) return "needs root";
  const missing = ["ip", "nft"].filter((tool) => spawnSync("which", [tool]).status !== 0);
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
}

function specOf(index) {
  return {
    key: `k${index}`,
    mode: "bridge",
    addressIndex: index + 1,
    ports: [{ label: "http", number: 15_000 + index, to: 8080, protocol: "", ip: "127.0.0.1" }],
    settings: { hostname: "bench", dnsServers: [], dnsSearches: [], dnsOptions: [] },
  };
}

/** ADD and DEL of the usual chain, one at a time, as a runtime calls it. Its host is a namespace, which goes with its rules. */
function measurePlugins(log) {
  log(`network: ${peerRounds} times the CNI chain`);
  const dataFolder = mkdtempSync(join(tmpdir(), "muster-bench-cni-"));
  const ranges = [[{ subnet: "10.213.0.0/24" }], [{ subnet: "fd78:213::/64" }]];
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
  const chain = [
    { type: "loopback" },
    {
      type: "bridge",
      bridge: "musterbench0",
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: { type: "host-local", dataDir: dataFolder, ranges, routes },
    },
    { type: "firewall" },
    { type: "portmap", runtimeConfig: { portMappings: [{ hostPort: 15_999, containerPort: 8080, protocol: "tcp" }] } },
  ];
  const add = [];
  const del = [];
  const host = `muster-bench-${process.pid}`;
  execFileSync("ip", ["netns", "add", host]);
  try {
    for (let round = 0; round < peerRounds; round++) {
      const name = `muster-bench-${process.pid}-${round}`;
      execFileSync("ip", ["netns", "add", name]);
      let prevResult;
      const call = (command, plugin) => {
        const config = { cniVersion: "0.4.0", name: "musterbench", ...plugin, ...(prevResult ? { prevResult } : {}) };
        const env = {
          ...process.env,
          CNI_COMMAND: command,
          CNI_CONTAINERID: name,
          CNI_NETNS: `/run/netns/${name}`,
          CNI_IFNAME: plugin.type === "loopback" ? "lo" : "eth0",
          CNI_PATH: pluginFolder,
        };
        const output = execFileSync("nsenter", [`--net=/run/netns/${host}`, join(pluginFolder, plugin.type)], {
          env,
          input: JSON.stringify(config),
          encoding: "utf8",
        });
        if (command === "ADD" && plugin.type !== "loopback") prevResult = JSON.parse(output);
      };
      const time = (command, plugins) => {
        const begin = process.hrtime.bigint();
        for (const plugin of plugins) call(command, plugin);
        return Number(process.hrtime.bigint() - begin) / 1e6;
      };
      try {
        add.push(time("ADD", chain));
        del.push(time("DEL", [...chain].reverse()));
      } finally {
        execFileSync("ip", ["netns", "del", name]);
      }
    }
  } finally {
    execFileSync("ip", ["netns", "del", host]);
    rmSync(dataFolder, { recursive: true, force: true });
  }
  return { add: median(add), del: median(del) };
}

async function timed(act) {
  const begin = process.hrtime.bigint();
  await act();
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function figure(label, value, unit, more = {}) {
  return { label, value, unit, ...more };
}
