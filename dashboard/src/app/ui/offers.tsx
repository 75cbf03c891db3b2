import type { VNode } from "preact";
import { formatCores, formatCount, formatMiB } from "../core/format.ts";
import type { View } from "../feed.ts";
import { Empty } from "./empty.tsx";
import { Ago } from "./span.tsx";

/** Offers listed at once; the oldest first, since those are what somebody waits for. */
const offersShownMax = 40;

export function Offers({ view }: { view: View }): VNode {
  const offers = [...view.cluster.offers.values()].sort((a, b) => a.offeredAt - b.offeredAt);
  return (
    <section id="offers" tabIndex={-1} aria-labelledby="offers-title">
      <div class="section-head">
        <h2 id="offers-title">Offers in flight</h2>
        <span class="faint">{offers.length > 0 && formatCount(offers.length, "offer")}</span>
      </div>
      {offers.length === 0 ? (
        <Empty>No offer is out. Frameworks that want nothing now are sent none.</Empty>
      ) : (
        <ul class="cards">
          {offers.slice(0, offersShownMax).map((offer) => (
            <li key={offer.offerId} class="card offer">
              <div class="card-head">
                <strong class="clip" title={offer.offerId}>
                  {offer.agentName === "" ? offer.agentId : offer.agentName}
                </strong>
                <span class="faint">to</span>
                <strong class="clip">{offer.frameworkName === "" ? offer.frameworkId : offer.frameworkName}</strong>
                <span class="faint offer-age">
                  <Ago at={offer.offeredAt} />
                </span>
              </div>
              <p>
                {offer.resources &&
                  `${formatCores(offer.resources.cpuMillis)}, ${formatMiB(offer.resources.memoryMiB)}, ${formatMiB(offer.resources.diskMiB)} disk`}
                <span class="faint"> for role {offer.role}</span>
              </p>
            </li>
          ))}
          {offers.length > offersShownMax && <li class="faint">and {offers.length - offersShownMax} more</li>}
        </ul>
      )}
    </section>
  );
}
