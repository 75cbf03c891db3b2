import { readFileSync } from "node:fs";

export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** All groups, the main one first. */
  readonly groups: readonly number[];
}

/** What a host or an image says of accounts: the texts of /etc/passwd and /etc/group. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

/** An account by name or number, of the host's files or those below `root`; undefined: there is none. */
export function findAccount(user: string, root = ""): Account | undefined {
  return accountIn(user, { passwd: read(`${root}/etc/passwd`), group: read(`${root}/etc/group`) });
}

export function accountIn(user: string, files: AccountFiles): Account | undefined {
  const line = rows(files.passwd).find(([name, , uid]) => name === user || uid === user);
  if (!line) return undefined;
  const gid = Number(line[3]);
  const name = line[0] ?? "";
  const others = rows(files.group)
    .filter(([, , , members]) => members?.split(",").includes(name))
    .map(([, , id]) => Number(id));
  return { uid: Number(line[2]), gid, groups: [gid, ...others.filter((id) => id !== gid)] };
}

function rows(text: string): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
