/** Parts of ids are letters, digits, dashes and underscores; jobs may have dots too. */
const jobForm = /^[A-Za-z0-9._-]{1,80}$/;
const groupForm = /^[A-Za-z0-9_-]{1,80}$/;
const lastForm = /^([0-9a-z]+)-([0-9a-z]+)(?:-([0-9]+))?$/;
const launchForm = /^v([0-9a-z]+)-([0-9a-z]+-[0-9a-z]+)$/;

/** What a task's id says. */
export interface TaskIdParts {
  /** `jobPart` and `groupPart`, joined by a dot. */
  readonly prefix: string;
  readonly index: number;
  /** "<epoch>-<n>". */
  readonly instanceId: string;
  /** Which task of its group. */
  readonly ordinal: number;
}

/** "job.group.index.<epoch>-<n>", and "-<ordinal>" behind for the tasks of groups that have several. */
export function makeTaskId(prefix: string, index: number, instanceId: string, ordinal: number | undefined): string {
  return `${prefix}.${index}.${instanceId}${ordinal === undefined ? "" : `-${ordinal}`}`;
}

export function readTaskId(taskId: string): TaskIdParts | undefined {
  const pieces = taskId.split(".");
  const last = lastForm.exec(pieces.pop() ?? "");
  const index = pieces.pop() ?? "";
  if (!last || !/^\d{1,9}$/.test(index) || pieces.length < 2) return undefined;
  return {
    prefix: pieces.join("."),
    index: Number(index),
    instanceId: `${last[1]}-${last[2]}`,
    ordinal: last[3] === undefined ? 0 : Number(last[3]),
  };
}

/** The version is part of a launch's id: a status then says all that adopting a task takes. */
export function makeLaunchId(version: number, instanceId: string): string {
  return `v${version.toString(36)}-${instanceId}`;
}

/** Undefined: no launch of ours. */
export function versionOfLaunch(launchId: string): number | undefined {
  const parts = launchForm.exec(launchId);
  return parts?.[1] === undefined ? undefined : Number.parseInt(parts[1], 36);
}

export function makeInstanceId(epoch: number, count: number): string {
  return `${epoch.toString(36)}-${count.toString(36)}`;
}

/** "job.group.index.<epoch>-<n>.volume": never used twice. */
export function makeVolumeId(
  jobName: string,
  group: string,
  index: number,
  volume: string,
  epoch: number,
  count: number,
): string {
  return `${makeTaskId(idPrefix(jobName, group), index, makeInstanceId(epoch, count), undefined)}.${volume}`;
}

/** How the ids of a group's tasks begin. Names that ids can't hold get a digest, so that no two groups share one. */
export function idPrefix(jobName: string, group: string): string {
  return `${idPart(jobName, jobForm)}.${idPart(group, groupForm)}`;
}

function idPart(name: string, form: RegExp): string {
  if (form.test(name)) return name;
  return `${name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 60)}_${digest(name)}`;
}

/** FNV-1a over code units, twice with different bases: 64 bits. */
function digest(text: string): string {
  let low = 0x811c9dc5;
  let high = 0xcbf29ce4;
  for (let i = 0; i < text.length; i++) {
    low = Math.imul(low ^ text.charCodeAt(i), 16777619);
    high = Math.imul(high ^ text.charCodeAt(i), 0x01000197);
  }
  return `${(low >>> 0).toString(36)}${(high >>> 0).toString(36)}`;
}
