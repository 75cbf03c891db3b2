import { StatusReason } from "@muster/proto";
import { procId } from "../../agent/core/attempts.ts";
import { procNetwork } from "../../agent/core/net.ts";
import { socketFolder, socketFolderInside, taskEnvironment } from "../../agent/environment/environment.ts";
import { createInterpolation } from "../../agent/environment/interpolation.ts";
import { taskLimits } from "../../cgroups/limits.ts";
import { givenFiles } from "../../files/given-files.ts";
import { taskVolumes } from "../../volumes/task-volumes.ts";
import type { ImageConfig } from "../../world/images.ts";
import type { Driver } from "../driver.ts";
import { ioRefusal } from "../io-refusal.ts";
import { logLimits } from "../log-limits.ts";
import { type OciSettings, readOciSettings } from "./settings.ts";

/** Who a task is if neither it nor its image says. */
const userDefault = "root";
/** Folders of a task as it sees them, and as jobs written for Nomad expect them. */
const foldersInside = { shared: "/alloc", local: "/local", secrets: "/secrets", home: "/" } as const;
/** Where programs are looked for if the image does not say. */
const pathDefault = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs a container from an image: its files with a layer of the task's own above them, its command, its environment. */
export const ociDriver = imageDriver("oci");

/** A driver of containers from images: `oci` by a runtime of the agent's, `docker` by an Engine. Both read the same settings. */
export function imageDriver(name: "oci" | "docker"): Driver {
  return {
    name,
    validate(spec, config) {
      const read = readOciSettings(spec.driverConfigJson);
      if (!read.ok) return { reason: StatusReason.REASON_TASK_INVALID, message: read.problem };
      return ioRefusal(spec, config);
    },
    imageName(json) {
      const read = readOciSettings(json);
      return read.ok ? read.settings.image : "";
    },
    image(task, config, network) {
      const { image, forcePull, pullTimeoutMs, credentials } = settingsOf(task.spec.driverConfigJson);
      const { interpolate } = createInterpolation(taskEnvironment(task, config, network, foldersInside), task, config);
      return {
        id: task.id,
        image: interpolate(image),
        byEngine: name === "docker",
        forcePull,
        timeoutMs: pullTimeoutMs,
        credentials,
      };
    },
    plan(task, config, network) {
      const { spec, info, image } = task;
      // A task is spawned only when its image is there. Of one that was adopted it may not be known for a moment, in which
      // only its environment is asked for.
      const ready = image.name === "ready" ? image.ready : { digest: "", config: emptyConfig, layers: [] };
      const imageConfig = ready.config;
      const settings = settingsOf(spec.driverConfigJson);
      const base = { PATH: pathDefault, ...imageConfig.environment };
      const named = taskEnvironment(task, config, network, { ...foldersInside, environment: base });
      const { environment, interpolate } = createInterpolation(named, task, config);
      const [command = "", ...words] = commandLine(
        { ...settings, command: spec.command, arguments: spec.arguments },
        imageConfig,
      ).map(({ text, isOwn }) => (isOwn ? interpolate(text) : text));
      const { cpuMillis = 0, memoryMiB = 0 } = info.resources ?? {};
      return {
        id: procId(task),
        command,
        arguments: words,
        environment,
        user: interpolate(spec.user) || imageConfig.user || userDefault,
        ...logLimits(spec),
        network: procNetwork(task, config.dataFolder),
        volumes: taskVolumes(task, config),
        ...givenFiles(task.spec),
        container: {
          rootfs: "",
          ...(name === "docker" ? { engineImage: ready.digest } : { layers: ready.layers }),
          workFolder: interpolate(settings.workFolder) || imageConfig.workFolder || "/",
          capabilities: { added: settings.capabilitiesAdded, dropped: settings.capabilitiesDropped },
          limits: taskLimits({
            cpuMillis,
            cpuMillisMax: spec.cpuMillisMax,
            memoryMiB,
            memoryMiBMax: spec.memoryMiBMax,
            processesMax: settings.processesMax,
            ioMiBPerSecondMax: spec.ioMiBPerSecondMax,
          }),
          ...(task.executor ? { hostFolder: [socketFolder(config), socketFolderInside] as const } : {}),
        },
      };
    },
  };
}

const emptyConfig: ImageConfig = { entrypoint: [], command: [], environment: {}, user: "", workFolder: "" };

interface Word {
  readonly text: string;
  /** Written by the job, which may refer to what only the agent knows; the image's words are as they are. */
  readonly isOwn: boolean;
}

/** As with Docker: a command takes the place of the image's, an entrypoint that of both. Empty: there is none. Pure. */
export function commandLine(
  job: Pick<OciSettings, "entrypoint"> & { readonly command: string; readonly arguments: readonly string[] },
  image: Pick<ImageConfig, "entrypoint" | "command">,
): Word[] {
  const own = (texts: readonly string[]): Word[] => texts.map((text) => ({ text, isOwn: true }));
  const its = (texts: readonly string[]): Word[] => texts.map((text) => ({ text, isOwn: false }));
  const entrypoint = job.entrypoint ? own(job.entrypoint) : its(image.entrypoint);
  const said = job.command === "" ? job.arguments : [job.command, ...job.arguments];
  if (said.length > 0) return [...entrypoint, ...own(said)];
  return job.entrypoint ? entrypoint : [...entrypoint, ...its(image.command)];
}

function settingsOf(json: string): OciSettings {
  const read = readOciSettings(json);
  if (!read.ok) throw new Error(`a launch that was not validated: ${read.problem}`);
  return read.settings;
}
