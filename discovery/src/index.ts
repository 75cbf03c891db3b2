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
