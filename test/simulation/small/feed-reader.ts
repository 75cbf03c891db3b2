import { emptyMessage, type Transport } from "@muster/foundation";
import { FeedWatch, type Life, masterAddress, type SimCluster } from "@muster/testing";

const retryMs = 300;

/** Somebody who reads everything that the master tells of itself, and resumes where it stopped. */
export class FeedReader {
  readonly #cluster: SimCluster;
  #watch = new FeedWatch();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  get watch(): FeedWatch {
    return this.#watch;
  }

  /** One life of it: what it knew is gone. */
  begin(life: Life): void {
    this.#watch = new FeedWatch();
    this.#follow(life, this.#watch, this.#cluster.network.transportOf(life));
  }

  #follow(life: Life, watch: FeedWatch, transport: Transport): void {
    watch.opened();
    transport.follow(
      "Watch.Events",
      masterAddress,
      { ...emptyMessage("EventsRequest"), ...watch.place },
      {
        receive: (message) => this.#cluster.violations.add(watch.receive(message)),
        drained: () => {},
        closed: () => this.#cluster.world.after(life, retryMs, "follow", () => this.#follow(life, watch, transport)),
      },
    );
  }
}
