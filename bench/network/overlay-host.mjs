// The overlay networks of one machine, in the network namespace that this process was started in. Its parent says what a
// master would, and hears how long it took.
import { spawn } from "node:child_process";
import { hostWorld } from "../../executors/dist/index.js";
import { silentLog, systemClock } from "../../foundation/dist/index.js";

const [dataFolder, ip] = process.argv.slice(2);
const { nets } = hostWorld({
  dataFolder,
  clock: systemClock,
  log: silentLog,
  hasNets: true,
  underlay: { ip, ip6: "" },
});
let waiting;
nets.start({
  ready: (_key, ready) => waiting(ready),
  failed: (_key, message) => waiting({ fault: message }),
  gone: () => waiting({}),
  // Told each time that the kernel has all: also when something else is waited for.
  overlay: (_name, state) => joining && waiting(state),
});
nets.keep([]);

const acts = {
  /** Tells all there is; answers when the kernel has it. */
  join: ({ agentId, network, subnets }) => {
    nets.beginOverlays(agentId);
    const news = subnets.map((subnet) => ({ type: "subnet", subnet }));
    nets.tellOverlays([{ type: "network", network }, ...news, { type: "complete" }]);
  },
  /** Tells of one peer more; answers when the kernel has its route. */
  change: ({ subnet }) => {
    const monitor = spawn("ip", ["monitor", "route"], { stdio: ["ignore", "pipe", "inherit"] });
    monitor.stdout.on("data", (text) => {
      if (!String(text).includes(subnet.subnet)) return;
      monitor.kill();
      waiting({});
    });
    // It listens a moment after it was started.
    setTimeout(() => {
      begin = performance.now();
      nets.tellOverlays([{ type: "subnet", subnet }]);
    }, 300);
  },
  group: ({ subnets }) =>
    nets.build({
      key: "bench",
      mode: "overlay/bench",
      addressIndex: 1,
      subnets,
      ports: [],
      settings: { hostname: "bench", dnsServers: [], dnsSearches: [], dnsOptions: [] },
    }),
  end: () => {
    nets.remove({ key: "bench", mode: "overlay/bench", addressIndex: 1, ports: [], settings: {} });
    waiting = () => nets.stop(() => process.exit(0));
  },
};

let begin = 0;
let joining = false;
process.on("message", ({ act, ...words }) => {
  begin = performance.now();
  joining = act === "join";
  waiting = (answer) => {
    joining = false;
    waiting = () => {};
    process.send({ ...answer, ms: performance.now() - begin });
  };
  acts[act](words);
});
