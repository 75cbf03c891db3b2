import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type TaskFolders, taskFolders } from "../agent/folders.ts";
import type { TaskCgroups } from "../cgroups/task-cgroups.ts";
import { type Account, findAccount } from "../shim/accounts.ts";
import { volumesOf } from "../volumes/mounts.ts";
import type { ProcContainer, ProcSpec } from "../world/proc.ts";
import type { ContainerHost } from "./container-host.ts";
import { ociConfig } from "./oci-config.ts";

/** What makes containers on this host. */
export interface Containers {
  readonly host: ContainerHost;
  readonly cgroups: TaskCgroups;
}

const nobodyId = 65_534;
/** Where the tasks of a container's group meet, inside. */
const sharedInside = "/alloc";

/**
 * Writes what the runtime is to run, and gives what the shim has to know of it beside a plain process: NAME=VALUE fields.
 * Without a rootfs the task's working folder becomes its root: what it writes stays there, as with a plain process.
 */
export function writeBundle(dataFolder: string, spec: ProcSpec, account: Account, containers: Containers): string[] {
  const { container, network } = spec;
  if (!container) return [];
  const { host, cgroups } = containers;
  const folders = taskFolders(dataFolder, spec.id);
  const bundle = `${folders.task}/oci`;
  mkdirSync(`${bundle}/state`, { recursive: true, mode: 0o700 });
  const root = container.layers
    ? layRoot(bundle, container.layers)
    : container.rootfs === ""
      ? furnishRoot(folders, host)
      : container.rootfs;
  const isHostRoot = container.rootfs === "" && !container.layers;
  const config = ociConfig(
    {
      container,
      command: spec.command,
      arguments: spec.arguments,
      environment: spec.environment,
      account,
      root,
      binds: [
        [folders.shared, sharedInside],
        ...(isHostRoot
          ? []
          : ([
              [folders.local, "/local"],
              [folders.secrets, "/secrets"],
            ] as const)),
        ...volumesOf(spec, false),
      ],
      files: [
        ...standIns(spec, container),
        ...(container.hostFolder ? [container.hostFolder] : []),
        ...volumesOf(spec, true),
      ],
      networkNamespace: network?.namespace ?? "",
      hostname: network?.hostname ?? "",
      cgroup: cgroups.pathOf(spec.id),
      arch: process.arch,
    },
    host,
  );
  writeFileSync(`${bundle}/config`, JSON.stringify(config), { mode: 0o600 });
  const { runtime } = host;
  return [
    `runtime=${runtime.path}`,
    `runtime_name=${runtime.name}`,
    `runtime_init=${runtime.initName}`,
    `hidden_mount=${runtime.hiddenMount}`,
    `container=${spec.id}`,
    ...(container.layers ? [`layers=${Math.max(1, container.layers.length)}`] : []),
    `memory_kills=${container.limits.memoryBytesMax === undefined ? "" : cgroups.memoryKillsFile(spec.id)}`,
    ...cgroups.foldersOf(spec.id).map((folder) => `cgroup=${folder}`),
  ];
}

/**
 * The account that a container runs under, by the files of its root. A number needs no entry there, and where nobody is
 * unknown it is the one that the kernel takes for nobody.
 */
export function containerAccount(user: string, rootfs: string): Account {
  if (rootfs !== "" && !statSync(rootfs, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`rootfs ${rootfs} is not a folder of this host`);
  const found = findAccount(user, rootfs);
  if (found) return found;
  const number = user === "nobody" ? nobodyId : /^\d{1,9}$/.test(user) ? Number(user) : undefined;
  if (number === undefined)
    throw new Error(`user ${user} is not known ${rootfs === "" ? "on this host" : "in its rootfs"}`);
  return { uid: number, gid: number, groups: [number] };
}

/** The links of the host's root, and a folder for files of the moment. */
function furnishRoot({ work }: TaskFolders, { links }: ContainerHost): string {
  for (const { path, target } of links) {
    const place = join(work, path);
    if (lstatSync(place, { throwIfNoEntry: false })) continue;
    mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
    symlinkSync(target, place);
  }
  mkdirSync(`${work}/tmp`, { recursive: true });
  chmodSync(`${work}/tmp`, 0o1777);
  return work;
}

/**
 * The layers of an image, each by a name of one or two characters, since what the kernel is told of them has to fit on a
 * page; and what lies above them. The shim mounts them where only the container sees it.
 */
function layRoot(bundle: string, layers: readonly string[]): string {
  rmSync(`${bundle}/lower`, { recursive: true, force: true });
  for (const name of ["lower", "upper", "overlay", "rootfs"])
    mkdirSync(`${bundle}/${name}`, { recursive: true, mode: 0o755 });
  if (layers.length === 0) mkdirSync(`${bundle}/lower/0`);
  for (const [at, layer] of layers.entries()) symlinkSync(`${layer}/fs`, `${bundle}/lower/${at}`);
  return `${bundle}/rootfs`;
}

const namesFiles = ["hosts", "hostname", "resolv.conf"];

/** The group's files of names in place of those of the root, where it has such files; an image gets them in any case. */
function standIns({ network }: ProcSpec, { rootfs, layers }: ProcContainer): [string, string][] {
  if (!network) return layers ? hostFiles() : [];
  return namesFiles
    .filter((name) => layers || existsSync(`${rootfs}/etc/${name}`))
    .map((name) => [`${network.filesFolder}/${name}`, `/etc/${name}`]);
}

/** In the host's network the host's names hold. */
function hostFiles(): [string, string][] {
  return namesFiles
    .filter((name) => existsSync(`/etc/${name}`))
    .map((name) => [realpathSync(`/etc/${name}`), `/etc/${name}`]);
}
