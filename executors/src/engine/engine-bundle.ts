import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { taskFolders } from "../agent/folders.ts";
import { findIoDevice } from "../cgroups/io-device.ts";
import { readLayout } from "../cgroups/layout.ts";
import { openFilesMax } from "../containers/open-files.ts";
import { volumesOf } from "../volumes/mounts.ts";
import type { ProcSpec } from "../world/proc.ts";
import { containerBody, networkBody } from "./container-body.ts";

const namesFiles = ["hosts", "hostname", "resolv.conf"];
/** Where programs and their libraries lie on a host. */
const programFolders = ["/bin", "/lib", "/lib32", "/lib64", "/usr"];
const setnsByArch: Readonly<Record<string, number>> = { x64: 308, arm64: 268 };

/** The container of an attempt, as the Engine names it. */
export function containerName(owner: string, id: string): string {
  return `muster-${owner}-${id}`;
}

/** Writes what the Engine is to be asked for, and gives what the shim has to know of it: NAME=VALUE fields. */
export function writeEngineBundle(dataFolder: string, spec: ProcSpec, socket: string, owner: string): string[] {
  const { container, network, id, user } = spec;
  if (!container?.engineImage) return [];
  const folders = taskFolders(dataFolder, id);
  const bundle = `${folders.task}/engine`;
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  const name = containerName(owner, id);
  const io = findIoDevice(dataFolder);
  const body = containerBody({
    owner,
    taskId: id,
    container,
    image: container.engineImage,
    command: spec.command,
    arguments: spec.arguments,
    environment: spec.environment,
    user,
    networkMode: network ? `container:${name}-net` : "host",
    folders: [
      [folders.shared, "/alloc"],
      [folders.local, "/local"],
      [folders.secrets, "/secrets"],
      ...volumesOf(spec, false),
    ],
    openFilesMax: openFilesMax(),
    ...(io.works ? { ioDevice: io.device } : {}),
    files: [
      ...(network ? namesFiles.map((file) => [`${network.filesFolder}/${file}`, `/etc/${file}`] as const) : []),
      ...(container.hostFolder ? [container.hostFolder] : []),
      ...volumesOf(spec, true),
    ],
  });
  writeFileSync(`${bundle}/create.json`, JSON.stringify(body), { mode: 0o600 });
  if (network) {
    const { namespace, hostname } = network;
    const programs = programFolders.filter(existsSync).map((path) => [realpathSync(path), path] as const);
    const setns = setnsByArch[process.arch] ?? 0;
    const wish = { owner, taskId: id, namespace, hostname, programs, setns };
    writeFileSync(`${bundle}/network.json`, JSON.stringify(networkBody(wish)), { mode: 0o600 });
  }
  return [
    `engine=${socket}`,
    `container=${name}`,
    `engine_netns=${network?.namespace ?? ""}`,
    `engine_user=${user}`,
    `engine_folders=${[folders.work, folders.local, folders.secrets, folders.shared].join("\n")}`,
    `engine_memory=${container.limits.memoryBytesMax === undefined ? "" : memoryFile()}`,
  ];
}

/** The file in which the kernel counts ends for want of memory, for the root of its hierarchy. */
function memoryFile(): string {
  const { name, hierarchies } = readLayout();
  if (name === "v2") return `${hierarchies[0]?.folder}/memory.events`;
  const memory = hierarchies.find(({ controllers }) => controllers.includes("memory"));
  return memory ? `${memory.folder}/memory.oom_control` : "";
}
