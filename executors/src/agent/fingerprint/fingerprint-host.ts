import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, promises as fs, readFileSync } from "node:fs";
import { arch, availableParallelism, hostname, networkInterfaces, platform, release, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import type { Attribute, Resources, Unavailable } from "@muster/proto";
import { findIoDevice } from "../../cgroups/io-device.ts";
import { readLayout } from "../../cgroups/layout.ts";
import type { ContainerHost } from "../../containers/container-host.ts";
import { type Found, findContainers } from "../../containers/find-containers.ts";
import { driverNames } from "../../drivers/drivers.ts";
import { ioLimitsAttribute } from "../../drivers/io-refusal.ts";
import { engineSocketDefault, type FoundEngine, findEngine } from "../../engine/find-engine.ts";
import { type FoundImages, findImages } from "../../images/find-images.ts";
import { type BridgeSettings, bridgeDefaults } from "../../networks/bridge/settings.ts";
import { type CniSettings, cniDefaults } from "../../networks/cni/settings.ts";
import { ownerOf } from "../../networks/kernel/namespaces.ts";
import { ephemeralOverlap } from "../../ports/ephemeral-overlap.ts";
import { findHostNetworks, type HostNetworkRule, hostAddresses } from "../../ports/host-networks.ts";
import { findHostVolumes, type HostVolume, hostVolumeAttributes } from "../../volumes/host-volumes.ts";
import type { HostFacts } from "../config.ts";
import { findNetworkModes } from "./network-modes.ts";
import { ip6Beside } from "./overlay-backends.ts";

/** What tasks may use of the host, where the figures found are not to be taken. */
export interface FingerprintOptions {
  /** Absolute path of the agent's own folder: its disk is the tasks'. */
  readonly dataFolder: string;
  /** Address under which tasks' ports are reached. Default: the first that is not loopback, else 127.0.0.1. */
  readonly ip?: string;
  /** Replaces amounts that were found. */
  readonly resources?: Partial<Resources>;
  /** Added to what was found, or replacing it: for instance "node.class", "node.datacenter", "meta.rack". */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Part of memory and disk that is left to the host. Default: 0.1. */
  readonly keptFraction?: number;
  readonly dynamicPortFirst?: number;
  readonly dynamicPortLast?: number;
  /** Networks of the host with names. Default: none. */
  readonly hostNetworks?: readonly HostNetworkRule[];
  /** Folders of the host that jobs may name. Default: none. */
  readonly hostVolumes?: readonly HostVolume[];
  /** Default: `bridgeDefaults`. */
  readonly bridge?: BridgeSettings;
  /** Default: `cniDefaults`. */
  readonly cni?: CniSettings;
  /** Unix socket of an Engine. Default: `engineSocketDefault`. */
  readonly engineSocket?: string;
  /** Address that other hosts send packets of overlay networks to. Default: `ip`. */
  readonly overlayIp?: string;
}

/** What the host is and has. The warnings are for the log. */
export interface Fingerprint {
  readonly host: HostFacts;
  /** What makes containers; absent: nothing does, and `host.unavailable` says why. */
  readonly containers?: ContainerHost;
  readonly warnings: readonly string[];
}

const mebibyte = 1024 * 1024;
/** Where CNI plugins are looked for. */
const cniFolders = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

export function fingerprintHost(options: FingerprintOptions, done: (fingerprint: Fingerprint) => void): void {
  findOut(options).then(done, (error: unknown) => {
    throw error;
  });
}

async function findOut(options: FingerprintOptions): Promise<Fingerprint> {
  const kept = 1 - (options.keptFraction ?? 0.1);
  const cores = availableParallelism();
  const disk = await fs.statfs(options.dataFolder);
  const perl = await versionOf("perl", ["-e", "print $^V"]);
  const resources: Resources = {
    cpuMillis: cores * 1_000,
    memoryMiB: Math.floor((totalmem() / mebibyte) * kept),
    diskMiB: Math.floor(((disk.bavail * disk.bsize) / mebibyte) * kept),
    portCount: (options.dynamicPortLast ?? 32_000) - (options.dynamicPortFirst ?? 20_000) + 1,
    custom: {},
    ...options.resources,
  };
  const { name: cgroupLayout } = readLayout();
  const hasPerl = perl !== undefined && platform() === "linux";
  const found: Record<string, string> = {
    "kernel.name": platform(),
    "kernel.version": release(),
    "cpu.arch": arch() === "x64" ? "amd64" : arch(),
    "cpu.numcores": String(cores),
    "memory.totalbytes": String(totalmem()),
    "os.name": osRelease("ID"),
    "os.version": osRelease("VERSION_ID"),
    "unique.hostname": hostname(),
    "unique.cgroup.layout": cgroupLayout,
    "cgroup.layout": cgroupLayout,
    "nodejs.version": process.versions.node,
    ...(perl === undefined ? {} : { "perl.version": perl.replace(/^v/, "") }),
    ...(hasPerl ? { "driver.process": "1" } : {}),
    ...(await runtimes()),
    "node.datacenter": "dc1",
    "node.region": "global",
    "node.class": "",
    ...options.attributes,
  };
  const ip = options.ip ?? firstAddress();
  const overlayIp = options.overlayIp ?? ip;
  const [networks, containers] = await Promise.all([
    findNetworkModes(ownerOf(options.dataFolder), options.bridge ?? bridgeDefaults, options.cni ?? cniDefaults, {
      ip: overlayIp,
      ip6: ip6Beside(overlayIp),
    }),
    findContainers(options.dataFolder),
  ]);
  Object.assign(found, networks.attributes);
  const { volumes: hostVolumes, lacking: volumesLacking } = findHostVolumes(options.hostVolumes ?? []);
  for (const { name, value } of hostVolumeAttributes(hostVolumes)) found[name] = value;
  const named = findHostNetworks(options.hostNetworks ?? [], hostAddresses());
  if (containers.works) {
    found["driver.exec"] = "1";
    found["driver.exec.runtime"] = containers.host.runtime.name;
  }
  const images: FoundImages = containers.works ? await findImages(options.dataFolder) : containers;
  if (images.works) {
    found["driver.oci"] = "1";
    found["driver.oci.skopeo.version"] = images.version;
  }
  const engine = await findEngine(options.engineSocket ?? engineSocketDefault);
  if (engine.works) {
    found["driver.docker"] = "1";
    found["driver.docker.version"] = engine.version;
  }
  const io = findIoDevice(options.dataFolder);
  if (io.works) found[ioLimitsAttribute] = "1";
  const lacking = unavailable(hasPerl, containers, images, engine);
  if (!io.works) lacking.push({ name: "io/limits", reason: io.reason });
  const missing = new Set(lacking.map(({ name }) => name));
  return {
    ...(containers.works ? { containers: containers.host } : {}),
    host: {
      ip,
      resources,
      attributes: toAttributes(found),
      drivers: hasPerl ? driverNames.filter((name) => !missing.has(`driver/${name}`)) : [],
      networkModes: networks.modes,
      unavailable: [...lacking, ...networks.unavailable, ...named.lacking.map(lackingNetwork), ...volumesLacking],
      hostVolumes,
      hostNetworks: named.networks,
      mayChangeUser: process.getuid?.() === 0,
      ...(networks.underlay ? { underlay: networks.underlay } : {}),
    },
    warnings: portWarnings(options.dynamicPortFirst ?? 20_000, options.dynamicPortLast ?? 32_000),
  };
}

function lackingNetwork({ name, reason }: { name: string; reason: string }): Unavailable {
  return { name: `host-network/${name}`, reason };
}

function toAttributes(found: Readonly<Record<string, string>>): Attribute[] {
  return Object.entries(found)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function runtimes(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ["runc", "crun"]) {
    const version = await versionOf(name, ["--version"]);
    if (version !== undefined) found[`runtime.${name}.version`] = /\d+(\.\d+)+/.exec(version)?.[0] ?? "unknown";
  }
  const plugins = cniFolders.filter((folder) => existsSync(join(folder, "bridge")));
  if (plugins[0] !== undefined) found["cni.folder"] = plugins[0];
  return found;
}

function unavailable(hasPerl: boolean, containers: Found, images: FoundImages, engine: FoundEngine): Unavailable[] {
  const lacking: Unavailable[] = [];
  if (platform() !== "linux") lacking.push({ name: "driver/process", reason: "agents run on Linux only" });
  else if (!hasPerl) lacking.push({ name: "driver/process", reason: "perl was not found: apt-get install perl-base" });
  if (!containers.works) lacking.push({ name: "driver/exec", reason: containers.reason });
  if (!images.works) lacking.push({ name: "driver/oci", reason: images.reason });
  if (!engine.works) lacking.push({ name: "driver/docker", reason: engine.reason });
  return lacking;
}

/** What a program says of its version; undefined if it is not there. */
function versionOf(program: string, options: readonly string[]): Promise<string | undefined> {
  if (!isInPath(program)) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    execFile(program, [...options], { timeout: 5_000 }, (error, text) => resolve(error ? undefined : text.trim()));
  });
}

function isInPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function osRelease(key: string): string {
  const line = read("/etc/os-release")
    .split("\n")
    .find((text) => text.startsWith(`${key}=`));
  return line?.slice(key.length + 1).replaceAll('"', "") ?? "";
}

function firstAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? []) if (family === "IPv4" && !internal) return address;
  return "127.0.0.1";
}

function portWarnings(first: number, last: number): string[] {
  const folder = "/proc/sys/net/ipv4";
  const range = read(`${folder}/ip_local_port_range`);
  const warning = ephemeralOverlap(first, last, range, read(`${folder}/ip_local_reserved_ports`));
  return warning === undefined ? [] : [warning];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
