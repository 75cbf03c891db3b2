import { combineCustom, noResources, type Resources } from "./resources.ts";

/**
 * Amounts that are changed in place: a sum that changes with every offer and is read seldom. O(1), and nothing is
 * allocated but for amounts of custom resources. Whoever keeps what it says keeps a copy: `resources(sum)`.
 */
export class ResourceSum implements Resources {
  cpuMillis = 0;
  memoryMiB = 0;
  diskMiB = 0;
  portCount = 0;
  /** Replaced and never changed itself, so that what was made from the sum may share it. */
  custom: Resources["custom"] = noResources.custom;

  add(amount: Resources): void {
    this.cpuMillis += amount.cpuMillis;
    this.memoryMiB += amount.memoryMiB;
    this.diskMiB += amount.diskMiB;
    this.portCount += amount.portCount;
    this.custom = combineCustom(this.custom, amount.custom, 1);
  }

  /** May go below 0: the caller knows whether that is a bug. */
  subtract(amount: Resources): void {
    this.cpuMillis -= amount.cpuMillis;
    this.memoryMiB -= amount.memoryMiB;
    this.diskMiB -= amount.diskMiB;
    this.portCount -= amount.portCount;
    this.custom = combineCustom(this.custom, amount.custom, -1);
  }

  /** Makes it as much as something else, which it does not keep. */
  become({ cpuMillis, memoryMiB, diskMiB, portCount, custom }: Resources): void {
    this.cpuMillis = cpuMillis;
    this.memoryMiB = memoryMiB;
    this.diskMiB = diskMiB;
    this.portCount = portCount;
    this.custom = { ...custom };
  }
}
