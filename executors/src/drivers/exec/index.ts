import { StatusReason } from "@muster/proto";
import { procId } from "../../agent/core/attempts.ts";
import { procNetwork } from "../../agent/core/net.ts";
import { socketFolder, socketFolderInside, taskEnvironment } from "../../agent/environment/environment.ts";
import { createInterpolation } from "../../agent/environment/interpolation.ts";
import { taskLimits } from "../../cgroups/limits.ts";
import { givenFiles } from "../../files/given-files.ts";
import { taskVolumes } from "../../volumes/task-volumes.ts";
import type { Driver } from "../driver.ts";
import { ioRefusal } from "../io-refusal.ts";
import { logLimits } from "../log-limits.ts";
import { readExecSettings } from "./settings.ts";

/** Without a user of its own a task gets the one that owns nothing, as Nomad's exec does. */
const userDefault = "nobody";

/** Folders of a task as it sees them, and as jobs written for Nomad expect them. */
const foldersInside = { shared: "/alloc", local: "/local", secrets: "/secrets", home: "/" } as const;

/** Runs a command in a container: the host's programs or a root of its own, its own processes, limits, few rights. */
export const execDriver: Driver = {
  name: "exec",
  validate(spec, config) {
    if (spec.command === "") return { reason: StatusReason.REASON_TASK_INVALID, message: "command: must not be empty" };
    const read = readExecSettings(spec.driverConfigJson);
    if (!read.ok) return { reason: StatusReason.REASON_TASK_INVALID, message: read.problem };
    return ioRefusal(spec, config);
  },
  plan(task, config, network) {
    const { spec, info } = task;
    const named = taskEnvironment(task, config, network, foldersInside);
    const { environment, interpolate } = createInterpolation(named, task, config);
    const read = readExecSettings(spec.driverConfigJson);
    if (!read.ok) throw new Error(`a launch that was not validated: ${read.problem}`);
    const { rootfs, workFolder, capabilitiesAdded, capabilitiesDropped, processesMax } = read.settings;
    const { cpuMillis = 0, memoryMiB = 0 } = info.resources ?? {};
    return {
      id: procId(task),
      command: interpolate(spec.command),
      arguments: spec.arguments.map(interpolate),
      environment,
      user: interpolate(spec.user) || userDefault,
      ...logLimits(spec),
      network: procNetwork(task, config.dataFolder),
      volumes: taskVolumes(task, config),
      ...givenFiles(task.spec),
      container: {
        rootfs: interpolate(rootfs),
        workFolder: interpolate(workFolder) || "/",
        capabilities: { added: capabilitiesAdded, dropped: capabilitiesDropped },
        ...(task.executor ? { hostFolder: [socketFolder(config), socketFolderInside] as const } : {}),
        limits: taskLimits({
          cpuMillis,
          cpuMillisMax: spec.cpuMillisMax,
          memoryMiB,
          memoryMiBMax: spec.memoryMiBMax,
          processesMax,
          ioMiBPerSecondMax: spec.ioMiBPerSecondMax,
        }),
      },
    };
  },
};
