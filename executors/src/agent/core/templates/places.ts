import type { TaskPlace } from "../../../world/materials.ts";
import { taskFolders } from "../../folders.ts";

/** Names within each other, and bytes of a path. */
const namesMax = 50;
const pathBytesMax = 4_096;

/** Folders that every task has. */
const ownFolders: ReadonlySet<string> = new Set(["local", "secrets"]);

/**
 * The file that a description means, with references filled in: below the task's folder, or its group's shared one, as the
 * task itself sees them or as they stand on the host. Text: why it is none.
 */
export function placeOf(
  path: string,
  environment: Readonly<Record<string, string>>,
  dataFolder: string,
  id: string,
): TaskPlace | string {
  if (path.length > pathBytesMax || path.includes("\0")) return "is no path";
  const { work } = taskFolders(dataFolder, id);
  const roots: readonly (readonly [string | undefined, TaskPlace["folder"], readonly string[]])[] = [
    [environment["NOMAD_ALLOC_DIR"], "shared", []],
    [environment["NOMAD_TASK_DIR"], "task", ["local"]],
    [environment["NOMAD_SECRETS_DIR"], "task", ["secrets"]],
    [work, "task", []],
    ["/alloc", "shared", []],
    ["/local", "task", ["local"]],
    ["/secrets", "task", ["secrets"]],
  ];
  const root = roots.find(([folder]) => folder !== undefined && folder !== "" && path.startsWith(`${folder}/`));
  if (!root && path.startsWith("/"))
    return `"${path}" is not below the task's folder: write local/NAME or secrets/NAME`;
  const rest = root ? path.slice(root[0]?.length ?? 0) : path;
  const names = [...(root?.[2] ?? []), ...rest.split("/").filter((name) => name !== "" && name !== ".")];
  if (names.includes("..")) return `"${path}" leads out of the task's folder: write it without ".."`;
  const isFolder =
    path.endsWith("/") || (root?.[1] !== "shared" && names.length === 1 && ownFolders.has(names[0] ?? ""));
  if (isFolder || names.length === 0 || names.length > namesMax) return `"${path}" names no file`;
  return { folder: root?.[1] ?? "task", names };
}
