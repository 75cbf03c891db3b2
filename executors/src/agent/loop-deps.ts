import type { Clock, Log, Metrics, Random, Transport } from "@muster/foundation";
import type { Artifacts } from "../world/artifacts.ts";
import type { Disk } from "../world/disk.ts";
import type { DiskMeter } from "../world/disk-meter.ts";
import type { GroupFiles } from "../world/group-files.ts";
import type { HostPorts } from "../world/host-ports.ts";
import type { Images } from "../world/images.ts";
import type { Materials } from "../world/materials.ts";
import type { Nets } from "../world/nets.ts";
import type { Prober } from "../world/prober.ts";
import type { Proc } from "../world/proc.ts";
import type { ProcessorMeter } from "../world/processor-meter.ts";
import type { Volumes } from "../world/volumes.ts";

/** The parts of the world that an agent's loop works with. */
export interface LoopDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly disk: Disk;
  readonly proc: Proc;
  readonly hostPorts: HostPorts;
  readonly prober: Prober;
  readonly log: Log;
  /** Absent: groups can have the host's network alone. */
  readonly nets?: Nets;
  /** Absent: no task can have an image. */
  readonly images?: Images;
  /** Absent: no task can have artifacts. */
  readonly artifacts?: Artifacts;
  /** Absent: limits of disk are booked, not enforced. */
  readonly diskMeter?: DiskMeter;
  /** Absent: nothing is lent. */
  readonly processorMeter?: ProcessorMeter;
  /** Absent: the agent can keep no volumes. */
  readonly volumes?: Volumes;
  /** Absent: tasks begin with empty folders. */
  readonly groupFiles?: GroupFiles;
  /** Absent: no task can have templates or secrets. */
  readonly materials?: Materials;
  /** With the prefix "muster_agent_". Absent: nothing is counted. */
  readonly metrics?: Metrics;
}
