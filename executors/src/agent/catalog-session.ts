import {
  type Cancel,
  type Clock,
  isStandby,
  type Log,
  Masters,
  MusterError,
  type Outlet,
  type Random,
  standbyRetryMs,
  type TemplateNeed,
  type Transport,
} from "@muster/foundation";
import { type CatalogEntry, type CatalogFollowRequest, type CatalogFollowResponse, CatalogKind } from "@muster/proto";
import type { CatalogNews, Known } from "./core/templates/model.ts";

/** Delay before the first attempt to reconnect; doubles up to the maximum. */
const retryMsFirst = 250;
const retryMsMax = 10_000;

export interface CatalogDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
}

const kinds = {
  service: CatalogKind.CATALOG_KIND_SERVICE,
  services: CatalogKind.CATALOG_KIND_SERVICES,
  key: CatalogKind.CATALOG_KIND_KEY,
  keys: CatalogKind.CATALOG_KIND_KEYS,
} as const;

/**
 * Follows what the tasks of this agent want to know of the cluster: one stream to one of the masters while anything is
 * wanted, and none else. A message out for each change of what is wanted, of O(all that is wanted).
 */
export class CatalogSession {
  readonly #deps: CatalogDeps;
  readonly #masters: Masters;
  readonly #told: (isInDoubt: boolean, news: readonly CatalogNews[]) => void;
  readonly #epochSeen: () => number;
  #wanted: readonly TemplateNeed[] = [];
  #outlet: Outlet<CatalogFollowRequest> | undefined;
  #generation = 0;
  #retry: Cancel | undefined;
  #retryMs = retryMsFirst;
  #isStopped = false;

  constructor(
    deps: CatalogDeps,
    masters: readonly string[],
    epochSeen: () => number,
    told: (isInDoubt: boolean, news: readonly CatalogNews[]) => void,
  ) {
    this.#deps = deps;
    this.#masters = new Masters(masters);
    this.#epochSeen = epochSeen;
    this.#told = told;
  }

  /** All that is wanted from now on. */
  want(needs: readonly TemplateNeed[]): void {
    if (this.#isStopped) return;
    this.#wanted = needs;
    if (needs.length === 0) this.#leave();
    else if (this.#outlet) this.#ask(this.#outlet);
    else if (!this.#retry) this.#connect();
  }

  stop(): void {
    this.#isStopped = true;
    this.#leave();
  }

  #leave(): void {
    this.#generation++;
    this.#retry?.();
    this.#retry = undefined;
    this.#outlet?.end();
    this.#outlet = undefined;
  }

  #ask(outlet: Outlet<CatalogFollowRequest>): void {
    outlet.send({ subjects: this.#wanted.map(({ kind, name }) => ({ kind: kinds[kind], name })) });
  }

  #connect(): void {
    const address = this.#masters.current;
    const generation = ++this.#generation;
    const isCurrent = (): boolean => generation === this.#generation;
    const outlet = this.#deps.transport.open("Catalog.Follow", address, {
      receive: (message) => {
        if (isCurrent()) this.#receive(message);
      },
      drained: () => {},
      closed: (error) => {
        if (isCurrent()) this.#closed(error);
      },
    });
    this.#outlet = outlet;
    this.#ask(outlet);
  }

  #receive({ epoch, inDoubt, entries }: CatalogFollowResponse): void {
    // A master that another has followed says nothing that holds.
    if (epoch < this.#epochSeen()) {
      const outlet = this.#outlet;
      const error = new MusterError("stale", `a master of epoch ${epoch} speaks, ${this.#epochSeen()} was seen`);
      this.#closed(error);
      outlet?.end(error);
      return;
    }
    this.#retryMs = retryMsFirst;
    this.#told(inDoubt, entries.flatMap(newsOf));
  }

  #closed(error: MusterError | undefined): void {
    this.#generation++;
    this.#outlet = undefined;
    const { log, random, clock } = this.#deps;
    this.#masters.next(error);
    const longestMs = isStandby(error) ? Math.min(standbyRetryMs, this.#retryMs) : this.#retryMs;
    const delayMs = longestMs * (0.5 + random.next() / 2);
    if (!isStandby(error)) this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2);
    log.debug(
      { reason: error?.message ?? "ended", delayMs: Math.round(delayMs) },
      "the catalog is not told, trying again",
    );
    this.#retry = clock.after(delayMs, () => {
      this.#retry = undefined;
      this.#connect();
    });
  }
}

/** What was told of one subject, copied; nothing of a subject that is no one's kind. */
function newsOf(entry: CatalogEntry): CatalogNews[] {
  const { subject, refusal } = entry;
  const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find((name) => kinds[name] === subject?.kind);
  if (!subject || kind === undefined) return [];
  const known: Known = refusal === "" ? knownOf(kind, entry) : { kind: "refused", reason: refusal };
  return [{ need: { kind, name: subject.name }, known }];
}

function knownOf(kind: keyof typeof kinds, { instances, services, keys: pairs }: CatalogEntry): Known {
  if (kind === "service")
    return { kind, instances: instances.map((one) => ({ ...one, tags: [...one.tags], meta: { ...one.meta } })) };
  if (kind === "services") return { kind, services: services.map(({ name, tags }) => ({ name, tags: [...tags] })) };
  return { kind: "keys", keys: pairs.map(({ path, value }) => [path, value] as const) };
}
