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

/** `id` is "<group>.<index>". */
export function taskFolders(dataFolder: string, id: string): TaskFolders {
  const group = `${dataFolder}/tasks/${groupOf(id)}`;
  const task = `${group}/${indexOf(id)}`;
  const work = `${task}/work`;
  return {
    group,
    shared: `${group}/shared`,
    task,
    work,
    local: `${work}/local`,
    secrets: `${work}/secrets`,
    logs: `${task}/logs`,
  };
}

/** What the tasks of a group see as /etc/hosts, /etc/hostname and /etc/resolv.conf. */
export function netFolder(dataFolder: string, group: string): string {
  return `${dataFolder}/tasks/${group}/net`;
}

export function groupOf(id: string): string {
  return id.slice(0, id.lastIndexOf("."));
}

export function indexOf(id: string): number {
  return Number(id.slice(id.lastIndexOf(".") + 1));
}

/** Where the shims of all tasks say that a command started or ended: "<id>.started", "<id>.exit". */
export function eventsFolder(dataFolder: string): string {
  return `${dataFolder}/events`;
}
