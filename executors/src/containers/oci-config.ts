import type { IoDevice } from "../cgroups/io-device.ts";
import type { ProcContainer } from "../world/proc.ts";
import { capabilitiesOf } from "./capabilities.ts";
import type { ContainerHost } from "./container-host.ts";
import { seccompProfile } from "./seccomp.ts";

/** Stands for the number of the process that holds the task's namespace of processes, which its shim fills in. */
export const initPidMark = "@init@";
const devShmBytes = 64 * 1024 * 1024;
const terminalGroup = 5;

export interface OciWish {
  readonly container: ProcContainer;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly account: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Absolute path of the folder that becomes the root. */
  readonly root: string;
  /** Folders of the host that can be written to: [of the host, inside]. */
  readonly binds: readonly (readonly [string, string])[];
  /** Path of the network namespace; empty: the host's. */
  readonly networkNamespace: string;
  /** Empty: the host's. */
  readonly hostname: string;
  /** Files that stand in for others: [of the host, inside]. */
  readonly files: readonly (readonly [string, string])[];
  readonly cgroup: string;
  /** As Node names it. */
  readonly arch: string;
}

/**
 * The configuration of a container. The namespaces come first: the first mark in the text is then ours, whatever a job
 * writes into its arguments. Pure.
 */
export function ociConfig(wish: OciWish, host: ContainerHost): object {
  const { container, account } = wish;
  const capabilities = capabilitiesOf(container.capabilities, account.uid);
  const isOwnRoot = container.rootfs === "" && !container.layers;
  const precompiled = host.seccompProgram !== "";
  return {
    ociVersion: "1.0.2",
    linux: {
      namespaces: [
        { type: "pid", path: `/proc/${initPidMark}/ns/pid` },
        { type: "mount" },
        { type: "ipc" },
        { type: "uts" },
        { type: "cgroup" },
        ...(wish.networkNamespace === "" ? [] : [{ type: "network", path: wish.networkNamespace }]),
      ],
      cgroupsPath: wish.cgroup,
      resources: resources(container, host),
      maskedPaths,
      readonlyPaths,
      seccomp: precompiled ? { defaultAction: "SCMP_ACT_ERRNO", syscalls: [] } : seccompProfile(wish.arch),
    },
    ...(precompiled ? { annotations: { "run.oci.seccomp_bpf_data": host.seccompProgram } } : {}),
    process: {
      terminal: false,
      user: { uid: account.uid, gid: account.gid, additionalGids: account.groups, umask: 0o022 },
      args: [wish.command, ...wish.arguments],
      env: Object.entries(wish.environment).map(([name, value]) => `${name}=${value}`),
      cwd: container.workFolder,
      noNewPrivileges: true,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: capabilities,
        // An account that is not root keeps them over the start of its program only so.
        ambient: account.uid === 0 ? [] : capabilities,
      },
      rlimits: [
        { type: "RLIMIT_NOFILE", soft: host.openFilesMax, hard: host.openFilesMax },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ],
    },
    root: { path: wish.root, readonly: container.rootfs !== "" },
    ...(wish.hostname === "" ? {} : { hostname: wish.hostname }),
    mounts: [
      ...(isOwnRoot ? host.mounts.map(({ path }) => bind(path, path, "ro")) : []),
      ...systemMounts,
      ...(container.rootfs === "" ? [] : [tmpfs("/tmp", "mode=1777")]),
      ...wish.binds.map(([from, to]) => bind(from, to, "rw")),
      ...wish.files.map(([from, to]) => bind(from, to, "ro")),
    ],
  };
}

function resources({ limits }: ProcContainer, { limitsSwap, ioDevice }: ContainerHost): object {
  const { memoryBytesMax, memoryBytesReserved, cpuShares, cpuQuota, processesMax } = limits;
  return {
    devices: [{ allow: false, access: "rwm" }],
    cpu: { shares: cpuShares, ...(cpuQuota ? { quota: cpuQuota.quotaUs, period: cpuQuota.periodUs } : {}) },
    pids: { limit: processesMax },
    ...(limits.ioBytesPerSecondMax !== undefined && ioDevice
      ? { blockIO: throttles(limits.ioBytesPerSecondMax, ioDevice) }
      : {}),
    ...(memoryBytesMax === undefined
      ? {}
      : {
          memory: {
            limit: memoryBytesMax,
            // Memory and swap together: a task at its limit is not to go on slowly on the host's disk.
            ...(limitsSwap ? { swap: memoryBytesMax } : {}),
            ...(memoryBytesReserved === undefined ? {} : { reservation: memoryBytesReserved }),
          },
        }),
  };
}

function throttles(rate: number, { major, minor }: IoDevice): object {
  const devices = [{ major, minor, rate }];
  return { throttleReadBpsDevice: devices, throttleWriteBpsDevice: devices };
}

function bind(source: string, destination: string, access: "ro" | "rw"): object {
  // Not what is mounted below: it would stay writable. What the host has mounted there has entries of its own.
  return { destination, source, type: "bind", options: ["bind", "private", access, "nosuid", "nodev"] };
}

function tmpfs(destination: string, ...options: readonly string[]): object {
  return { destination, source: "tmpfs", type: "tmpfs", options: ["nosuid", "nodev", ...options] };
}

const systemMounts: readonly object[] = [
  { destination: "/proc", source: "proc", type: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    source: "tmpfs",
    type: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    source: "devpts",
    type: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", `gid=${terminalGroup}`],
  },
  tmpfs("/dev/shm", "noexec", "mode=1777", `size=${devShmBytes}`),
  { destination: "/dev/mqueue", source: "mqueue", type: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", source: "sysfs", type: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  {
    destination: "/sys/fs/cgroup",
    source: "cgroup",
    type: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];

const maskedPaths: readonly string[] = [
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/acpi",
  "/sys/firmware",
];

const readonlyPaths: readonly string[] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
