import { createAgent, type HostFacts, type ProcSpec } from "@muster/executors";
import { type Log, resources } from "@muster/foundation";
import { HostDisk } from "../world/disk.ts";
import { HostArtifacts } from "../world/host-artifacts.ts";
import { HostExecutors } from "../world/host-executors.ts";
import { HostGroupFiles } from "../world/host-group-files.ts";
import { HostImages } from "../world/host-images.ts";
import { HostNets } from "../world/host-nets.ts";
import { type Behaviour, HostProcesses } from "../world/host-processes.ts";
import { HostVolumes } from "../world/host-volumes.ts";
import type { Life } from "../world/life.ts";
import type { Network } from "../world/network.ts";
import type { World } from "../world/world.ts";
import { Program } from "./program.ts";

export interface AgentHostOptions {
  readonly index: number;
  readonly masterAddress: string;
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  /** How many ports its dynamic range has: few, so that they are used again and again. */
  readonly portCount: number;
  readonly log: Log;
  readonly behave?: (spec: ProcSpec) => Behaviour;
  /** In place of what it would find on its host. */
  readonly facts?: Partial<HostFacts>;
}

const dynamicPortFirst = 20_000;

/** A machine with an agent: its disk and its commands outlive the agent's program. */
export class AgentHost {
  readonly name: string;
  readonly ip: string;
  readonly address: string;
  readonly disk: HostDisk;
  readonly processes: HostProcesses;
  readonly executors: HostExecutors;
  readonly nets: HostNets;
  readonly images: HostImages;
  readonly artifacts: HostArtifacts;
  readonly volumes: HostVolumes;
  readonly groupFiles: HostGroupFiles;
  readonly program: Program;
  readonly #world: World;
  readonly #network: Network;
  readonly #options: AgentHostOptions;
  #machineNumber = 1;

  constructor(world: World, network: Network, options: AgentHostOptions) {
    this.name = `agent-${options.index}`;
    this.ip = `10.0.0.${options.index + 1}`;
    this.address = `${this.name}:5051`;
    this.#world = world;
    this.#network = network;
    this.#options = options;
    this.disk = new HostDisk(world, this.name);
    this.processes = new HostProcesses(world, this.name, options.behave);
    this.executors = new HostExecutors(world, network, this.name, options.log);
    this.processes.beginExecutor = (process, exit) => this.executors.begin(process, exit);
    // Every other host has a network with a name.
    if (options.index % 2 === 0) this.processes.networks = [{ name: "private", ip: `10.9.0.${options.index + 1}` }];
    this.nets = new HostNets(world, this.name, this.processes);
    this.images = new HostImages(world, this.name, this.processes);
    this.artifacts = new HostArtifacts(world, this.name);
    this.volumes = new HostVolumes(world, this.name);
    this.groupFiles = new HostGroupFiles(world, this.name);
    this.program = new Program(world, { name: this.name, component: "agent", start: (life) => this.#start(life) });
  }

  /** The machine loses its power, and what runs on it with it; it is back after so long. False if it is away already. */
  reboot(downMs: number): boolean {
    this.processes.reboot();
    this.nets.reboot();
    this.images.reboot();
    return this.program.crash("power", downMs);
  }

  /** Counts the machines that have had its name and address. */
  get machineNumber(): number {
    return this.#machineNumber;
  }

  /** Another machine in its place: nothing is left of the old one but its name and address. */
  replace(downMs: number): void {
    this.#machineNumber++;
    this.reboot(downMs);
    this.disk.replace();
  }

  #start(life: Life): void {
    const { portCount, masterAddress, log } = this.#options;
    const agent = createAgent(
      {
        clock: this.#world.clockOf(life),
        random: this.#world.random(`${life.name}/${life.number}`),
        transport: this.#network.transportOf(life),
        disk: this.disk.openFor(life),
        proc: this.processes.openFor(life),
        hostPorts: this.processes.portsFor(life),
        prober: this.processes.proberFor(life),
        nets: this.nets.openFor(life),
        images: this.images.openFor(life),
        artifacts: this.artifacts.openFor(life),
        volumes: this.volumes.openFor(life),
        groupFiles: this.groupFiles.openFor(life),
        log,
        // As the daemon does: an agent that can't begin exits, and its supervisor tries again.
        failed: () => this.#world.after(undefined, 0, "exit", () => this.program.life === life && this.program.crash()),
      },
      {
        name: this.name,
        address: this.address,
        masters: [masterAddress],
        dataFolder: `/var/lib/muster/${this.name}`,
        host: this.#facts(),
        executorSocket: `${this.name}:executors`,
        version: "0.1.0",
        dynamicPortFirst,
        dynamicPortLast: dynamicPortFirst + portCount - 1,
        // Ports are used again at once: what frees them too early is to be found within minutes.
        portReuseAfterMs: 0,
        // Commands keep to their ports: one that is ended for another's would end wrongly.
        enforcePorts: "kill",
      },
    );
    this.#network.serve(life, this.address, agent.handlers);
    this.#network.serve(life, `${this.name}:executors`, agent.executorHandlers);
    agent.start();
  }

  #facts(): HostFacts {
    const { cpuMillis, memoryMiB, portCount, index, facts } = this.#options;
    return {
      ip: this.ip,
      resources: resources({ cpuMillis, memoryMiB, diskMiB: 100_000, portCount }),
      attributes: [
        { name: "kernel.name", value: "linux" },
        { name: "node.datacenter", value: "dc1" },
        { name: "rack", value: `rack-${index % 2}` },
      ],
      drivers: ["process", "oci"],
      networkModes: ["host", "bridge", "none"],
      unavailable: [],
      hostNetworks: this.processes.networks,
      mayChangeUser: false,
      underlay: { ip: this.ip, ip6: "", backends: ["vxlan"], knownDigest: "" },
      ...facts,
    };
  }
}
