/** Whoever can't name a task can't get at its files. */
export const folderMode = 0o711;
