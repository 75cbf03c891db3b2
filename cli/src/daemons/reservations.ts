import type { StaticReservation } from "@muster/executors";
import { usageError } from "../cli-error.ts";
import { parseAmounts } from "../commands/role/amounts.ts";

/** Reads "eng cpu=2 memory=2048", one of each role: what an agent sets aside from its beginning. */
export function reservationsOf(settings: readonly string[]): StaticReservation[] {
  const found: StaticReservation[] = [];
  for (const setting of settings) {
    const [role = "", ...amounts] = setting.trim().split(/\s+/);
    const hint = "for instance --reservations 'eng cpu=2 memory=2048, ops cpu=1'";
    if (!/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(role) || amounts.length === 0)
      throw usageError(`--reservations: "${setting}" is no role with amounts`, hint);
    const same = found.find((one) => one.role.replaceAll("/", "_") === role.replaceAll("/", "_"));
    if (same) throw usageError(`--reservations: ${role} and ${same.role} can't both be reserved for here`, hint);
    found.push({ role, resources: parseAmounts("--reservations", amounts.join(",")).resources });
  }
  return found;
}
