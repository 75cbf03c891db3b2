import { execFileSync, spawnSync } from "node:child_process";

/** A clone of somebody else's repository, bare or not; an environment variable says where it is. */
export class Clone {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Paths of the files of its last commit. */
  paths(): string[] {
    return this.#git("ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0").filter(Boolean);
  }

  /** The texts of files of its last commit. */
  read(paths: readonly string[]): { path: string; text: string }[] {
    const { stdout, status, stderr } = spawnSync("git", ["-C", this.#folder, "cat-file", "--batch"], {
      input: paths.map((path) => `HEAD:${path}\n`).join(""),
      maxBuffer: 256 * 1024 * 1024,
    });
    if (status !== 0) throw new Error(`git cat-file: ${stderr}`);
    let at = 0;
    return paths.flatMap((path) => {
      const end = stdout.indexOf(10, at);
      const [, kind, size] = stdout.subarray(at, end).toString().split(" ");
      at = end + 1;
      // A clone may lack the contents of large files.
      if (kind !== "blob") return [];
      const text = stdout.subarray(at, at + Number(size)).toString();
      at += Number(size) + 1;
      return [{ path, text }];
    });
  }

  #git(...args: string[]): string {
    return execFileSync("git", ["-C", this.#folder, ...args], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  }
}

/** The clone that the variable names, or why there is none. */
export function cloneOf(variable: string, repository: string): { clone?: Clone; reason: string } {
  const folder = process.env[variable];
  if (folder === undefined || folder === "")
    return { reason: `needs ${variable}: the folder of a clone of ${repository}` };
  return { clone: new Clone(folder), reason: "" };
}
