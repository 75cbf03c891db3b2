import { plural } from "../operate/affected.ts";

/** What becomes of offers on their way, for people. */
export function rescindedText(count: number, isDryRun: boolean): string {
  if (count === 0) return "no offer is in the way";
  return `${plural(count, "offer")} of the agent ${isDryRun ? "would be" : count === 1 ? "is" : "are"} taken back`;
}
