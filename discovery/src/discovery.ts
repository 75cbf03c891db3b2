import { type Cancel, type Clock, type Log, Masters, type Random, type Transport } from "@muster/foundation";
import { Feed } from "./feed/follower.ts";
import { masterNames, serverNames } from "./names/cluster-names.ts";
import { Picture } from "./picture/picture.ts";
import { addressRdata } from "./wire/rdata.ts";
import { type AnswerCounts, Responder } from "./zone/responder.ts";
import { Zone } from "./zone/zone.ts";

/** Longest time in seconds that an answer may be kept while the master is away. */
const staleTtlSecondsMax = 5;
const ttlSecondsMax = 3_600;

export interface DiscoveryDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
}

export interface DiscoveryConfig {
  /** `host:port` of the master, or of several with commas in between. */
  readonly masterAddress: string;
  /** Zone that is served; "muster" by default. */
  readonly domain?: string;
  /** Address behind the zone's NS record; 127.0.0.1 by default. */
  readonly serverIp?: string;
  /** How long answers are given after the master was lost, in ms; 24 hours by default. */
  readonly staleMsMax?: number;
  /** What it says of itself to CHAOS questions, for instance to "version.bind". Default: such questions are refused. */
  readonly chaosTexts?: Readonly<Record<string, string>>;
}

/** From where a question came and how. */
export interface Asker {
  readonly tcp: boolean;
  /** Address of the other end. */
  readonly peer: string;
}

export interface DiscoveryStatus {
  /** Whether questions are answered: a snapshot was taken in and is not too old. */
  readonly isReady: boolean;
  /** Whether the master is heard. */
  readonly isCurrent: boolean;
  /** How long the master has not been heard, in ms; 0 while it is. Undefined before the first snapshot. */
  readonly feedAgeMs: number | undefined;
  readonly recordCount: number;
  /** Names of running tasks that cannot be published. */
  readonly refusedCount: number;
  /** Tasks kept because their agent has not come back to a new master yet. */
  readonly heldCount: number;
  readonly serial: number;
}

export interface Discovery {
  readonly domain: string;
  readonly zone: Zone;
  readonly picture: Picture;
  readonly counts: AnswerCounts;
  /** The answer to a DNS packet; undefined for one that deserves none. Never throws. */
  answer(packet: Uint8Array, asker: Asker): Uint8Array | undefined;
  status(): DiscoveryStatus;
  start(): void;
  /** Ends the feed. Answers go on as they are until the process ends. */
  stop(done: () => void): void;
}

/** Names of what runs, kept in step with the master. Has no sockets: `serveDns` and `serveHttp` give it some. */
export function createDiscovery(deps: DiscoveryDeps, config: DiscoveryConfig): Discovery {
  const { clock, log } = deps;
  const domain = (config.domain ?? "muster").toLowerCase();
  const staleMsMax = config.staleMsMax ?? 24 * 60 * 60 * 1_000;
  const zone = new Zone(domain, deps.random.stream("order"));
  const picture = new Picture(zone, domain);
  const epochSeconds = (): number => Math.floor(clock.epochMs() / 1_000);
  const responder = new Responder(zone, domain, deps.random.stream("rotation"), epochSeconds, config.chaosTexts);
  let hasSnapshot = false;
  let lostAtMs: number | undefined;
  let isTooOld = false;
  let cancelAgeing: Cancel | undefined;

  const feed = new Feed({ ...deps, random: deps.random.stream("retry") }, config.masterAddress, {
    replace: (events) => {
      picture.replace(events);
      hasSnapshot = true;
    },
    change: (events) => picture.change(events),
    current: (leader) => {
      publishMaster(zone, leader, domain, log);
      cancelAgeing?.();
      lostAtMs = undefined;
      isTooOld = false;
      zone.limitTtl(ttlSecondsMax);
      log.info({ records: zone.recordCount, held: picture.heldCount }, "names follow the master");
    },
    lost: () => {
      lostAtMs = clock.monotonicMs();
      zone.limitTtl(staleTtlSecondsMax);
      cancelAgeing = clock.after(staleMsMax, () => {
        isTooOld = true;
        log.error({ feedAgeMs: staleMsMax }, "the master has been away for too long: names are no longer answered");
      });
      log.warn({ records: zone.recordCount }, "the master is away: names are answered as they were");
    },
  });

  zone.replace("server", serverNames(config.serverIp ?? "127.0.0.1", domain));
  // Until one is heard the first that is named is taken for the leader.
  publishMaster(zone, new Masters(config.masterAddress).current, domain, log);

  return {
    domain,
    zone,
    picture,
    counts: responder.counts,
    answer: (packet, asker) => responder.answer(asBuffer(packet), asker.tcp, hasSnapshot && !isTooOld, asker.peer),
    status: () => ({
      isReady: hasSnapshot && !isTooOld,
      isCurrent: hasSnapshot && lostAtMs === undefined,
      feedAgeMs: hasSnapshot ? (lostAtMs === undefined ? 0 : clock.monotonicMs() - lostAtMs) : undefined,
      recordCount: zone.recordCount,
      refusedCount: picture.refusedCount,
      heldCount: picture.heldCount,
      serial: responder.serial,
    }),
    start: () => feed.start(),
    stop: (done) => {
      feed.stop();
      cancelAgeing?.();
      clock.after(0, done);
    },
  };
}

/** The master is known by its address alone; one that is a host's name has no record. */
function publishMaster(zone: Zone, masterAddress: string, domain: string, log: Log): void {
  const colon = masterAddress.lastIndexOf(":");
  const host = masterAddress.slice(0, colon).replace(/^\[|\]$/g, "");
  const ip = host === "localhost" ? "127.0.0.1" : host;
  const port = Number(masterAddress.slice(colon + 1));
  if (addressRdata(ip)) zone.replace("master", masterNames(ip, port, domain));
  else {
    zone.replace("master", []);
    log.warn({ address: masterAddress }, "the master's address is a name: leader and master have no records");
  }
}

function asBuffer(packet: Uint8Array): Buffer {
  return Buffer.isBuffer(packet) ? packet : Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
}
