/** What a task may use, as cgroups count it. */
export interface TaskLimits {
  /** Weight against the tasks beside it when the processor is scarce; 1,024 is one core. */
  readonly cpuShares: number;
  /** So many microseconds of processor in each period of so many, whatever the host has to spare; undefined: no bound. */
  readonly cpuQuota: { readonly quotaUs: number; readonly periodUs: number } | undefined;
  /** Beyond, the kernel ends processes of the task; undefined: no limit. */
  readonly memoryBytesMax: number | undefined;
  /** What it is to keep when memory is scarce; undefined: the same as the limit. */
  readonly memoryBytesReserved: number | undefined;
  /** Processes and threads at once. */
  readonly processesMax: number;
  /** Bytes a second that it reads from the agent's disk, and that it writes to it; undefined: no bound. */
  readonly ioBytesPerSecondMax: number | undefined;
}

export interface LimitAmounts {
  readonly cpuMillis: number;
  /** Undefined: no bound. At least `cpuMillisMaxMin`. */
  readonly cpuMillisMax: number | undefined;
  readonly memoryMiB: number;
  /** 0: `memoryMiB` is the limit. */
  readonly memoryMiBMax: number;
  readonly processesMax: number;
  /** Undefined: no bound. */
  readonly ioMiBPerSecondMax: number | undefined;
}

/** The kernel hands out no less than a millisecond a period. */
export const cpuMillisMaxMin = 10;
const periodUs = 100_000;
const mebibyte = 1024 * 1024;
/** The range that the kernel takes. */
const sharesMin = 2;
const sharesMax = 262_144;

/** Pure. The runtime turns shares into the weight of version 2. */
export function taskLimits(amounts: LimitAmounts): TaskLimits {
  const { cpuMillis, cpuMillisMax, memoryMiB, memoryMiBMax, processesMax, ioMiBPerSecondMax } = amounts;
  const hardMiB = Math.max(memoryMiB, memoryMiBMax);
  return {
    cpuShares: Math.min(sharesMax, Math.max(sharesMin, Math.round((cpuMillis * 1_024) / 1_000))),
    cpuQuota: cpuMillisMax === undefined ? undefined : { quotaUs: (cpuMillisMax * periodUs) / 1_000, periodUs },
    memoryBytesMax: hardMiB > 0 ? hardMiB * mebibyte : undefined,
    memoryBytesReserved: memoryMiB > 0 && memoryMiB < hardMiB ? memoryMiB * mebibyte : undefined,
    processesMax,
    ioBytesPerSecondMax: ioMiBPerSecondMax === undefined ? undefined : ioMiBPerSecondMax * mebibyte,
  };
}
