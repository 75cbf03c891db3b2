import {
  type Driver,
  type GroupVolume,
  type JobType,
  type Task,
  type TaskGroup,
  type VolumeMount,
  volumesMax,
} from "../job/types.ts";
import { isMountPlace, isVolumeName, problemOfVolumes, volumeMiBMax } from "../job/volumes.ts";
import type { DecodedBlock } from "./decoded.ts";

const code = "job/volume";

/** Volumes of a group. Those that there are not are refused, with what there is instead. */
export function buildVolumes(
  block: DecodedBlock | undefined,
  tasks: readonly DecodedBlock[],
  jobType: JobType,
): Pick<TaskGroup, "volumes"> {
  const written = block?.all("volume") ?? [];
  const volumes = written.map(buildVolume);
  for (const [at, { name }] of volumes.entries())
    if (volumes.findIndex((other) => other.name === name) < at)
      written[at]?.error(undefined, { code, summary: `two volumes are named "${name}"` });
  written[volumesMax]?.error(undefined, { code, summary: `a group has at most ${volumesMax} volumes` });
  refuseMounts(volumes, tasks);
  for (const [at, { type }] of volumes.entries())
    if (type === "muster" && jobType !== "service")
      written[at]?.error("type", {
        code,
        summary: `a ${jobType} job has no volumes of type muster`,
        hint: 'only instances of service jobs keep their place; use type = "host"',
      });
  return volumes.length === 0 ? {} : { volumes };
}

function buildVolume(block: DecodedBlock): GroupVolume {
  const type = block.text("type");
  if (type !== undefined && type !== "host" && type !== "muster")
    block.error("type", {
      code,
      summary: `volumes of type ${type} are not available in this release`,
      hint: 'use type = "muster", which is made for each instance, or "host": a folder that operators declare with --host-volumes',
    });
  if (!isVolumeName(block.label))
    block.error(undefined, {
      code,
      summary: `"${block.label}" can't be a volume's name: letters, digits, dashes, underscores`,
    });
  const readOnly = block.bool("read_only") ?? false;
  return type === "muster" ? buildOwn(block, readOnly) : buildOfHost(block, readOnly);
}

function buildOwn(block: DecodedBlock, readOnly: boolean): GroupVolume {
  const sizeMiB = block.number("size");
  if (!block.has("size")) block.error("type", { code, summary: "a volume of type muster needs size = ... in MiB" });
  if (sizeMiB !== undefined && sizeMiB > volumeMiBMax)
    block.error("size", { code, summary: `size must be at most ${volumeMiBMax} MiB` });
  if (block.has("source"))
    block.error("source", { code, summary: "a volume of type muster is made for its instance and has no source" });
  return { name: block.label, type: "muster", sizeMiB: sizeMiB ?? 1, readOnly };
}

function buildOfHost(block: DecodedBlock, readOnly: boolean): GroupVolume {
  const source = block.text("source") ?? "";
  if (!block.has("source") && block.text("type") === "host")
    block.error("type", { code, summary: "a volume of type host needs source = ..., the name that operators gave it" });
  if (block.has("source") && !isVolumeName(source))
    block.error("source", {
      code,
      summary: "source must be the name of a host volume: letters, digits, dashes, underscores",
    });
  if (block.has("size")) block.error("size", { code, summary: "a folder of the host has no size of its own" });
  if (block.bool("per_alloc"))
    block.error("per_alloc", { code, summary: "host volumes belong to the agent, not to an instance" });
  return { name: block.label, type: "host", source, readOnly };
}

export function buildMounts(block: DecodedBlock, driver: Driver | undefined): Pick<Task, "volumeMounts"> {
  const written = block.all("volume_mount");
  if (written.length === 0) return {};
  written[volumesMax]?.error(undefined, { code, summary: `a task has at most ${volumesMax} mounts` });
  return { volumeMounts: written.map((one) => buildMount(one, driver)) };
}

/** Where a task sees it; its own folder is at one place in every container, and below the folder it begins in. */
function destinationOf(mount: DecodedBlock): string {
  return (mount.text("destination") ?? "").replace(/^\$\{(?:NOMAD|MUSTER)_TASK_DIR\}(?=\/)/, "/local");
}

function buildMount(block: DecodedBlock, driver: Driver | undefined): VolumeMount {
  const destination = destinationOf(block);
  // That it is missing has been said.
  if (block.has("destination") && !isMountPlace(destination))
    block.error("destination", { code, summary: `destination "${destination}" is no absolute path without dots` });
  const propagation = block.text("propagation_mode") ?? "private";
  if (propagation !== "private")
    block.error("propagation_mode", { code, summary: `mounts are not passed on (${propagation}); use private` });
  const readOnly = block.bool("read_only") ?? false;
  if (readOnly && driver === "process")
    block.error("read_only", {
      code,
      summary: "a plain process can't be kept from writing to a volume",
      hint: 'use driver = "exec", which runs it in a container',
    });
  return { volume: block.text("volume") ?? "", destination, readOnly };
}

/** What only the group as a whole shows. */
function refuseMounts(volumes: readonly GroupVolume[], tasks: readonly DecodedBlock[]): void {
  for (const task of tasks) {
    const mounts = task.all("volume_mount");
    const volumeMounts = mounts.map((mount) => ({
      volume: mount.text("volume") ?? "",
      destination: destinationOf(mount),
      readOnly: mount.bool("read_only") ?? false,
    }));
    const wrong = problemOfVolumes(volumes, [{ name: task.label, volumeMounts }]);
    if (wrong && mounts[wrong.mount]?.has("volume"))
      mounts[wrong.mount]?.error("volume", { code, summary: wrong.problem });
    const driver = task.text("driver");
    for (const [at, { volume }] of volumeMounts.entries())
      if ((driver === "process" || driver === "raw_exec") && volumes.find(({ name }) => name === volume)?.readOnly)
        mounts[at]?.error("volume", {
          code,
          summary: `volume "${volume}" is read only, and a plain process can't be kept from writing to it`,
          hint: 'use driver = "exec", which runs it in a container',
        });
  }
}
