import type { MaintenanceWindow } from "@muster/proto";
import { amount, damaged, decode, encode, text } from "./records.ts";

/** The whole plan is one entry: it is replaced whole. */
export const maintenanceKey = "maintenance/plan";

export function encodeMaintenance(windows: readonly MaintenanceWindow[]): Uint8Array {
  return encode({ windows: windows.map(({ agentId, startAt, durationMs }) => ({ agentId, startAt, durationMs })) });
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeMaintenance(key: string, value: Uint8Array): readonly MaintenanceWindow[] {
  const { windows } = decode(key, value);
  if (!Array.isArray(windows)) throw damaged(key, "lacks windows");
  return windows.map((window: Record<string, unknown>) => ({
    agentId: text(key, window, "agentId"),
    startAt: amount(key, window, "startAt"),
    durationMs: amount(key, window, "durationMs"),
  }));
}
