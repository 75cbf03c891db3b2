export { checksLabel, panicLabel, publishNotReadyLabel, ttlLabel } from "@muster/foundation";
export {
  type Asker,
  createDiscovery,
  type Discovery,
  type DiscoveryConfig,
  type DiscoveryDeps,
  type DiscoveryStatus,
} from "./discovery.ts";
export { type HttpServer, type HttpServerOptions, serveHttp } from "./http/serve-http.ts";
export { type DnsServer, type DnsServerOptions, serveDns } from "./server/serve-dns.ts";
export { recordType } from "./wire/constants.ts";
export { wireName } from "./wire/name.ts";
export type { Zone } from "./zone/zone.ts";
