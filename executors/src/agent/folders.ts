/** Where everything of one task lies, below the agent's data folder. */
export interface TaskFolders {
  /** Of the group: shared by its tasks. */
  readonly group: string;
  readonly shared: string;
  /** Of the task: records, shim's files and logs. */
  readonly task: string;
  /** The task's working folder. */
  readonly work: string;
  readonly local: string;
  readonly secrets: string;
  readonly logs: string;
}

/** `id` is "<group>.<index>", of later attempts "<group>.<index>-<attempt>". All attempts of a task share its folders. */
export function taskFolders(dataFolder: string, id: string): TaskFolders {
  const group = groupFolder(dataFolder, groupOf(id));
  const task = `${group}/${indexOf(id)}`;
  const work = `${task}/work`;
  return {
    group,
    shared: sharedFolder(dataFolder, groupOf(id)),
    task,
    work,
    local: `${work}/local`,
    secrets: `${work}/secrets`,
    logs: `${task}/logs`,
  };
}

/** Everything of one group. */
export function groupFolder(dataFolder: string, key: string): string {
  return `${dataFolder}/tasks/${key}`;
}

/** What the tasks of a group share. */
export function sharedFolder(dataFolder: string, key: string): string {
  return `${groupFolder(dataFolder, key)}/shared`;
}

/** What the tasks of a group see as /etc/hosts, /etc/hostname and /etc/resolv.conf. */
export function netFolder(dataFolder: string, group: string): string {
  return `${groupFolder(dataFolder, group)}/net`;
}

/** What the tasks see that share the network of one task; `folder` is that of the group's networks. */
export function apartFolder(folder: string, index: number): string {
  return `${folder}/${index}`;
}

export function groupOf(id: string): string {
  return id.slice(0, id.lastIndexOf("."));
}

export function indexOf(id: string): number {
  return Number.parseInt(id.slice(id.lastIndexOf(".") + 1), 10);
}

/** The id of the task that an attempt belongs to. */
export function taskIdOf(id: string): string {
  const dash = id.indexOf("-", id.lastIndexOf("."));
  return dash < 0 ? id : id.slice(0, dash);
}

/** How often the task was started before. */
export function attemptOf(id: string): number {
  const dash = id.indexOf("-", id.lastIndexOf("."));
  return dash < 0 ? 0 : Number(id.slice(dash + 1));
}

/** The file in a task's folder by which one shim alone starts an attempt. */
export function claimName(attempt: number): string {
  return attempt === 0 ? "claim" : `claim-${attempt}`;
}

/** Where the shims of all tasks say that a command started or ended: "<id>.started", "<id>.exit". */
export function eventsFolder(dataFolder: string): string {
  return `${dataFolder}/events`;
}
