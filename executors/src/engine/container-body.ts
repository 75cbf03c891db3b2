import type { IoDevice } from "../cgroups/io-device.ts";
import { capabilitiesOf } from "../containers/capabilities.ts";
import type { ProcContainer } from "../world/proc.ts";
import { ownerLabel, taskLabel } from "./engine-containers.ts";

const devShmBytes = 64 * 1024 * 1024;

export interface ContainerWish {
  readonly owner: string;
  readonly taskId: string;
  readonly container: ProcContainer;
  /** Id of an image that the Engine has. */
  readonly image: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** "NAME" or "NUMBER", with ":GROUP" or without. */
  readonly user: string;
  /** As the Engine names it: "host", or "container:" and the name of another one. */
  readonly networkMode: string;
  /** Folders that can be written to: [of the host, inside]. */
  readonly folders: readonly (readonly [string, string])[];
  /** Disk of the agent's folder; absent: its use can't be limited. */
  readonly ioDevice?: IoDevice;
  /** Files and sockets that it may have open at once. */
  readonly openFilesMax: number;
  /** What can be read only: [of the host, inside]. */
  readonly files: readonly (readonly [string, string])[];
}

/** What an Engine is to make of a task. The same limits and rights as of a container by a runtime. Pure. */
export function containerBody(wish: ContainerWish): object {
  const { container, user } = wish;
  const { memoryBytesMax, memoryBytesReserved, cpuShares, cpuQuota, processesMax } = container.limits;
  const isRoot = ["", "root", "0"].includes(user.split(":")[0] ?? "");
  const capabilities = capabilitiesOf(container.capabilities, isRoot ? 0 : 1);
  return {
    Image: wish.image,
    Entrypoint: [wish.command],
    Cmd: [...wish.arguments],
    Env: Object.entries(wish.environment).map(([name, value]) => `${name}=${value}`),
    User: user,
    WorkingDir: container.workFolder,
    Labels: labels(wish),
    HostConfig: {
      NetworkMode: wish.networkMode,
      Init: true,
      Mounts: [...wish.folders.map((pair) => bind(pair, false)), ...wish.files.map((pair) => bind(pair, true))],
      Memory: memoryBytesMax ?? 0,
      // Memory and swap together: a task at its limit is not to go on slowly on the host's disk.
      MemorySwap: memoryBytesMax ?? 0,
      MemoryReservation: memoryBytesReserved ?? 0,
      CpuShares: cpuShares,
      ...(cpuQuota ? { CpuQuota: cpuQuota.quotaUs, CpuPeriod: cpuQuota.periodUs } : {}),
      PidsLimit: processesMax,
      ...throttles(container.limits.ioBytesPerSecondMax, wish.ioDevice),
      CapDrop: ["ALL"],
      CapAdd: capabilities.map((name) => name.replace(/^CAP_/, "")),
      SecurityOpt: ["no-new-privileges"],
      Ulimits: [
        { Name: "nofile", Soft: wish.openFilesMax, Hard: wish.openFilesMax },
        { Name: "core", Soft: 0, Hard: 0 },
      ],
      IpcMode: "private",
      CgroupnsMode: "private",
      ShmSize: devShmBytes,
      ...alone,
    },
  };
}

export interface NetworkWish {
  readonly owner: string;
  readonly taskId: string;
  /** Path of the pinned network namespace. */
  readonly namespace: string;
  readonly hostname: string;
  /** Folders of the host without which its perl does not run. */
  readonly programs: readonly (readonly [string, string])[];
  /** Number of the system call. */
  readonly setns: number;
}

/** The image of the container that goes into a group's network; the shim has it made of nothing. */
export const networkImage = "muster-network:1";
const networkInside = "/network";

/**
 * A container that goes into the network of a group by itself, so that another one can be put there: an Engine knows no
 * other way. It runs the host's perl, lives for the moment of a start, and may nothing but that. Pure.
 */
export function networkBody({ owner, taskId, namespace, hostname, programs, setns }: NetworkWish): object {
  const script = `sysopen(N, "${networkInside}", 0) && syscall(${setns}, fileno(N), 0x40000000) == 0 or exit 1; sleep 600`;
  return {
    Image: networkImage,
    Hostname: hostname,
    Entrypoint: ["/usr/bin/perl", "-e", script],
    Labels: labels({ owner, taskId }),
    HostConfig: {
      NetworkMode: "none",
      Mounts: [...programs, [namespace, networkInside] as const].map((pair) => bind(pair, true)),
      CapDrop: ["ALL"],
      CapAdd: ["SYS_ADMIN"],
      SecurityOpt: ["no-new-privileges"],
      PidsLimit: 16,
      ...alone,
    },
  };
}

/** The agent keeps the output, starts again and removes: the Engine does none of it. */
const alone = { LogConfig: { Type: "none" }, RestartPolicy: { Name: "no" }, AutoRemove: false };

function throttles(rate: number | undefined, device: IoDevice | undefined): object {
  if (rate === undefined || !device) return {};
  const devices = [{ Path: device.path, Rate: rate }];
  return { BlkioDeviceReadBps: devices, BlkioDeviceWriteBps: devices };
}

function labels({ owner, taskId }: Pick<ContainerWish, "owner" | "taskId">): Record<string, string> {
  return { [ownerLabel]: owner, [taskLabel]: taskId };
}

function bind([Source, Target]: readonly [string, string], ReadOnly: boolean): object {
  return { Type: "bind", Source, Target, ReadOnly, BindOptions: { Propagation: "private" } };
}
