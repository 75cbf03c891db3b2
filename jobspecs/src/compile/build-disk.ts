import type { JobType, Task, TaskGroup } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

/** MiB of a written block that says nothing of them: Nomad's. */
const sizeMiBDefault = 300;

/**
 * Books the disk of a group with its main task, so that with what others ask for themselves the group has what it says.
 * That task's limit counts its own files and what the group shares.
 */
export function withGroupDisk(block: DecodedBlock | undefined, tasks: readonly Task[]): Task[] {
  const written = block?.first("ephemeral_disk");
  if (!written) return [...tasks];
  const at = Math.max(
    0,
    tasks.findIndex((task) => task.leader || !task.lifecycle),
  );
  const sizeMiB = written.number("size") ?? sizeMiBDefault;
  const others = tasks.reduce((sum, { resources }, index) => sum + (index === at ? 0 : resources.diskMiB), 0);
  const unbounded = tasks.filter(({ resources }, index) => index !== at && resources.diskMiB === 0);
  if (unbounded.length > 0)
    written.warning("size", {
      code: "job/ephemeral-disk",
      summary: `size bounds task "${tasks[at]?.name}" and what the group shares, not the own files of ${unbounded.map(({ name }) => `"${name}"`).join(", ")}`,
      hint: "give each of them resources { disk = ... }, which is counted as a part of size",
    });
  return tasks.map((task, index) => {
    if (index !== at) return task;
    const diskMiB = Math.max(task.resources.diskMiB, sizeMiB - others);
    return { ...task, resources: { ...task.resources, diskMiB } };
  });
}

/** What becomes of the files of a group's instances. Only services and system jobs start instances after others. */
export function buildDisk(block: DecodedBlock | undefined, jobType: JobType): Pick<TaskGroup, "disk"> {
  const written = block?.first("ephemeral_disk");
  if (!written) return {};
  const isMigrating = written.bool("migrate") ?? false;
  if (!written.bool("sticky")) {
    if (isMigrating)
      written.warning("migrate", { code: "job/ephemeral-disk", summary: "has no effect without sticky = true" });
    return {};
  }
  if (jobType === "service" || jobType === "system")
    return { disk: { isSticky: true, ...(isMigrating ? { isMigrating } : {}) } };
  written.warning("sticky", {
    code: "job/ephemeral-disk",
    summary: `has no effect: each run of a ${jobType} job begins with empty folders`,
  });
  return {};
}
