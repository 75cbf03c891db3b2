// How many tasks a second one agent brings from the launch's arrival to RUNNING, for plain processes, the same each in a
// network of its own and, where the agent is root and has crun or runc, for containers with the host's programs; and where
// it has skopeo and nft, for containers from an image that is here, each in a network of its own. The agent and its master's end of the session are
// one process and speak gRPC; records are durable, shims and programs are real. Up to `inFlightMax` launches are on their
// way at once.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent, fingerprintHost, hostWorld } from "@muster/executors";
import { grpcTransport, silentLog as log, systemClock, systemRandom } from "@muster/foundation";
import { startMaster } from "./agent/master.mjs";
import { makeSleepImage } from "./agent/sleep-image.mjs";
import { pause } from "./dev-cluster.mjs";

const kinds = [
  { driver: "process", networkMode: "", count: 300, bar: 150, label: "process" },
  { driver: "process", networkMode: "bridge", count: 100, bar: 30, label: "process, network bridge" },
  { driver: "exec", networkMode: "", count: 120, bar: 40, label: "exec" },
  { driver: "oci", networkMode: "bridge", count: 120, bar: 25, label: "oci, network bridge, image present" },
];
const inFlightMax = 16;

export async function run(say) {
  const figures = [];
  for (const kind of kinds) {
    const folder = mkdtempSync(join(tmpdir(), "muster-bench-agent-"));
    try {
      const rate = await measure(folder, kind);
      if (rate === undefined) say(`launch-agent: ${kind.label} does not work here`);
      else
        figures.push({
          label: `launches to RUNNING, ${kind.label}`,
          value: rate,
          unit: "/s",
          peer: `bar ${kind.bar}`,
        });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return figures;
}

async function measure(dataFolder, { driver, networkMode, count }) {
  const { host, containers } = await new Promise((resolve) =>
    fingerprintHost({ dataFolder, ip: "127.0.0.1" }, resolve),
  );
  if (!host.drivers.includes(driver) || !host.networkModes.includes(networkMode || "host")) return undefined;
  const config = driver === "oci" ? { image: makeSleepImage(join(dataFolder, "image")) } : undefined;
  const description = { driver, networkMode, driverConfigJson: config ? JSON.stringify(config) : "" };
  const master = await startMaster();
  const transport = grpcTransport({});
  const agent = createAgent(
    {
      clock: systemClock,
      random: systemRandom,
      transport,
      log,
      ...hostWorld({
        dataFolder,
        clock: systemClock,
        log,
        containers,
        hasNets: networkMode !== "",
        hasImages: driver === "oci",
      }),
    },
    { name: "bench", address: "127.0.0.1:5051", masters: [master.address], dataFolder, version: "bench", host },
  );
  try {
    agent.start();
    while (!master.isRegistered()) await pause(10);
    await launchAll(master, description, inFlightMax, "warm");
    const began = performance.now();
    await launchAll(master, description, count, "run");
    return (count * 1_000) / (performance.now() - began);
  } finally {
    await new Promise((resolve) => agent.stop(resolve, "kill"));
    transport.close();
    await master.stop();
  }
}

async function launchAll(master, description, count, prefix) {
  const before = master.runningCount();
  for (let launched = 0; master.runningCount() - before < count; ) {
    while (launched < count && launched - (master.runningCount() - before) < inFlightMax)
      master.launch(`${prefix}-${launched++}`, description);
    await master.changed();
  }
}
