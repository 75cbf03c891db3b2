import { readFileSync } from "node:fs";

export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** All groups, the main one first. */
  readonly groups: readonly number[];
}

/** An account by name or number, of the host's files or those below `root`; undefined: there is none. */
export function findAccount(user: string, root = ""): Account | undefined {
  const line = rows(`${root}/etc/passwd`).find(([name, , uid]) => name === user || uid === user);
  if (!line) return undefined;
  const gid = Number(line[3]);
  const name = line[0] ?? "";
  const others = rows(`${root}/etc/group`)
    .filter(([, , , members]) => members?.split(",").includes(name))
    .map(([, , id]) => Number(id));
  return { uid: Number(line[2]), gid, groups: [gid, ...others.filter((id) => id !== gid)] };
}

function rows(path: string): string[][] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch {
    return [];
  }
}
