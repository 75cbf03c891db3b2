import { readFileSync } from "node:fs";

/** One tree of cgroups and what it governs. */
export interface CgroupHierarchy {
  readonly folder: string;
  /** For instance "memory", "cpu"; of version 1 also names such as "name=systemd". */
  readonly controllers: readonly string[];
}

/** How the kernel's cgroups are laid out here, as far as tasks can use them. */
export interface CgroupLayout {
  /** Hybrid: version 1 does the work, an empty version 2 stands beside it. */
  readonly name: "v1" | "v2" | "hybrid" | "none";
  readonly hierarchies: readonly CgroupHierarchy[];
  /** Where the empty version 2 of a hybrid layout is mounted; else empty. */
  readonly unifiedFolder: string;
  /** Whether any of them is mounted read-only. */
  readonly isReadOnly: boolean;
}

/** Without these a task can't be limited. */
const neededControllers = ["memory", "cpu", "pids"];

/** The layout by the table of mounts, and by what the root of version 2 says it controls. Pure. */
export function parseLayout(mounts: string, controllersOf: (folder: string) => readonly string[]): CgroupLayout {
  const first: CgroupHierarchy[] = [];
  const second: CgroupHierarchy[] = [];
  let isReadOnly = false;
  for (const line of mounts.split("\n")) {
    const [, folder = "", type, options = ""] = line.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const words = options.split(",");
    if (words.includes("ro")) isReadOnly = true;
    if (type === "cgroup2") second.push({ folder, controllers: controllersOf(folder) });
    else first.push({ folder, controllers: words.filter((word) => !mountOptions.has(word)) });
  }
  const unifiedFolder = second[0]?.folder ?? "";
  if (first.length === 0)
    return {
      name: unifiedFolder === "" ? "none" : "v2",
      hierarchies: second.slice(0, 1),
      unifiedFolder: "",
      isReadOnly,
    };
  return { name: unifiedFolder === "" ? "v1" : "hybrid", hierarchies: first, unifiedFolder, isReadOnly };
}

const mountOptions: ReadonlySet<string> = new Set(
  "rw ro nosuid nodev noexec relatime noatime seclabel xattr nsdelegate memory_recursiveprot clone_children".split(" "),
);

/** Why tasks can't have cgroups here, and what would mend it; undefined if they can. Pure. */
export function layoutFault({ name, hierarchies, isReadOnly }: CgroupLayout): string | undefined {
  if (name === "none") return "no cgroups are mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup";
  if (isReadOnly) return "cgroups are mounted read-only: give the agent's container a writable /sys/fs/cgroup";
  const missing = neededControllers.filter((one) => !hierarchies.some(({ controllers }) => controllers.includes(one)));
  if (missing.length === 0) return undefined;
  return `cgroup ${name} lacks the controllers ${missing.join(", ")}: enable them on the kernel's command line`;
}

/** The layout of this host. */
export function readLayout(): CgroupLayout {
  return parseLayout(read("/proc/self/mounts"), (folder) => read(`${folder}/cgroup.controllers`).trim().split(/\s+/));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
