import { resources } from "@muster/foundation";
import type { CoreSettings } from "./core/model.ts";

/** What an operator may set. */
export interface MasterConfig extends CoreSettings {
  /** Name of this master in elections, unique among masters. */
  readonly candidate: string;
  /** Other masters may use the same store: while it is not known who leads, callers have others to turn to. */
  readonly hasOthers: boolean;
  /** Host and port under which it is reached, told to people. */
  readonly address: string;
  /** Version of the program, told to people. */
  readonly version: string;
  /** Process id, told to people; 0 if there is none. */
  readonly pid: number;
  /** Milliseconds that an allocation may take of one tick. */
  readonly allocationSliceMs: number;
  /** Changes of mere figures in records of agents and frameworks are told at most once in so many milliseconds. */
  readonly figuresIntervalMs: number;
  /** How long a call to a framework or an agent may take. */
  readonly relayTimeoutMs: number;
}

export const defaultMasterConfig: MasterConfig = {
  candidate: "master",
  hasOthers: false,
  address: "127.0.0.1:5050",
  version: "0.1.0",
  pid: 0,
  offerTimeoutMs: 60_000,
  pingIntervalMs: 15_000,
  pingsMissedMax: 5,
  heartbeatIntervalMs: 15_000,
  awaitedTimeoutMs: 75_000,
  unreachableIntervalMs: 0,
  minimumOffer: resources({ cpuMillis: 10, memoryMiB: 32 }),
  allocationSliceMs: 2,
  figuresIntervalMs: 250,
  relayTimeoutMs: 20_000,
  overlays: [],
  subnetReuseMs: 5 * 60_000,
};
