import type { IoDevice } from "../cgroups/io-device.ts";
import type { CgroupLayout } from "../cgroups/layout.ts";

/** A folder or file of the host that containers see, read-only, at the same place. */
export interface HostMount {
  readonly path: string;
}

/** A link of the host's root that containers have, too: /bin to usr/bin and the like. */
export interface HostLink {
  readonly path: string;
  readonly target: string;
}

/** What of the host makes containers possible; found out once, when the agent starts. */
export interface ContainerHost {
  readonly runtime: ContainerRuntime;
  readonly cgroups: CgroupLayout;
  readonly mounts: readonly HostMount[];
  readonly links: readonly HostLink[];
  /** Files and sockets that a task may have open at once. */
  readonly openFilesMax: number;
  /** The disk of the agent's folder, if the kernel can limit its use. Absent: it can't. */
  readonly ioDevice?: IoDevice;
  /** Whether the kernel can limit memory and swap together. */
  readonly limitsSwap: boolean;
  /** The filter of system calls as the runtime has compiled it, base64; empty: it compiles it for each task. */
  readonly seccompProgram: string;
}

export interface ContainerRuntime {
  readonly name: "crun" | "runc";
  readonly path: string;
  readonly version: string;
  /** What the first process of a container is called until it has become the task's program. */
  readonly initName: string;
  /** Mount that the runtime must not see, since it refuses a hybrid layout of cgroups; empty: none. */
  readonly hiddenMount: string;
}
