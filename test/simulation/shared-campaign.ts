import { compiled } from "./compiled.ts";

export type Campaign = typeof import("./campaign.ts");

let campaign: Promise<Campaign> | undefined;

/**
 * The campaign as it is, compiled once for all files of a worker: the first seeds of each would take three times as long
 * as the later ones, until the machine's own compiler has seen enough of them.
 */
export function sharedCampaign(): Promise<Campaign> {
  campaign ??= compiled<Campaign>("test/simulation/campaign.ts");
  return campaign;
}
