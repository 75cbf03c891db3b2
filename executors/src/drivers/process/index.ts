import { StatusReason } from "@muster/proto";
import { procId } from "../../agent/core/attempts.ts";
import { procNetwork } from "../../agent/core/net.ts";
import { taskEnvironment } from "../../agent/environment/environment.ts";
import { createInterpolation } from "../../agent/environment/interpolation.ts";
import { givenFiles } from "../../files/given-files.ts";
import { taskVolumes } from "../../volumes/task-volumes.ts";
import type { Driver } from "../driver.ts";
import { logLimits } from "../log-limits.ts";

/** Runs a command as a plain process with the host's files and network. */
export const processDriver: Driver = {
  name: "process",
  validate(spec, config) {
    if (spec.command === "") return { reason: StatusReason.REASON_TASK_INVALID, message: "command: must not be empty" };
    if (spec.user !== "" && !config.mayChangeUser)
      return {
        reason: StatusReason.REASON_LAUNCH_FAILED,
        message: `user: the agent does not run as root and can't become ${spec.user}; leave user empty`,
      };
    if ([...spec.volumeMounts, ...spec.hostMounts].some(({ readOnly }) => readOnly))
      return {
        reason: StatusReason.REASON_TASK_INVALID,
        message: "volume_mounts: a plain process can't be kept from writing to a volume; use driver exec or docker",
      };
    return undefined;
  },
  plan(task, config, network) {
    const { environment, interpolate } = createInterpolation(taskEnvironment(task, config, network), task, config);
    return {
      id: procId(task),
      command: interpolate(task.spec.command),
      arguments: task.spec.arguments.map(interpolate),
      environment,
      user: interpolate(task.spec.user),
      ...logLimits(task.spec),
      network: procNetwork(task, config.dataFolder),
      volumes: taskVolumes(task, config),
      ...givenFiles(task.spec),
    };
  },
};
