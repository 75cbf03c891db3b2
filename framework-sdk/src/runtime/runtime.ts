import type { Clock, Log, Random, Transport } from "@muster/foundation";

/** All that a framework touches outside itself. The simulator supplies the same four. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
}
