import { didYouMean } from "../diagnostics/suggest.ts";
import type { Check, CheckRestart, Network, Service } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

export interface ServiceContext {
  readonly defaultName: string;
  readonly network: Network;
}

export function buildServices(owner: DecodedBlock, context: ServiceContext): Service[] {
  return owner.all("service").map((block) => buildService(block, context));
}

function buildService(block: DecodedBlock, context: ServiceContext): Service {
  if (block.text("provider") === "consul") {
    block.warning("provider", {
      code: "job/provider",
      summary: "Muster's own discovery takes the place of Consul",
    });
  }
  const port = buildPort(block, context.network);
  const common = block.first("check_restart");
  return {
    name: block.text("name") ?? context.defaultName,
    ...port,
    tags: block.texts("tags") ?? [],
    meta: block.textMap("meta"),
    checks: block.all("check").flatMap((check) => buildCheck(check, block, common, context.network) ?? []),
  };
}

function buildPort(block: DecodedBlock, network: Network): { portLabel?: string; port?: number } {
  const written = block.text("port");
  if (written === undefined) return {};
  // The number that an agent would put here is that of a label we know.
  const text = /^\$\{(?:NOMAD|MUSTER)_PORT_([\w-]+)\}$/.exec(written)?.[1] ?? written;
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    if (port >= 1 && port <= 65_535) return { port };
    block.error("port", { code: "job/bad-port", summary: `${text} is no port` });
    return {};
  }
  const labels = network.ports.map((port) => port.label);
  if (!labels.includes(text)) {
    block.error("port", {
      code: "job/unknown-port",
      summary: `the group's network has no port "${text}"`,
      hint: didYouMean(text, labels) ?? `add port "${text}" { } to the group's network block`,
    });
  }
  return { portLabel: text };
}

function buildCheck(
  block: DecodedBlock,
  service: DecodedBlock,
  common: DecodedBlock | undefined,
  network: Network,
): Check | undefined {
  const type = block.text("type");
  const intervalMs = block.number("interval");
  const timeoutMs = block.number("timeout");
  if (type === "script" || type === "grpc") {
    block.error("type", {
      code: "job/check-type",
      summary: `checks of type ${type} are not available in this release`,
      hint: "use http or tcp",
    });
    return undefined;
  }
  if ((type !== "http" && type !== "tcp") || intervalMs === undefined || timeoutMs === undefined) return undefined;
  if (!block.has("port") && !service.has("port")) {
    block.error(undefined, { code: "job/check-port", summary: "neither the check nor its service has a port" });
  }
  const restart = buildCheckRestart(block.first("check_restart") ?? common);
  const shared = {
    name: block.text("name") ?? `${type} check`,
    ...buildPort(block, network),
    intervalMs,
    timeoutMs,
    successesBeforePassing: block.number("success_before_passing") ?? 0,
    failuresBeforeCritical: block.number("failures_before_critical") ?? 0,
    ...(restart ? { checkRestart: restart } : {}),
  };
  return type === "tcp" ? { type, ...shared } : { type, ...shared, ...buildHttp(block) };
}

function buildHttp(block: DecodedBlock): Omit<Check & { type: "http" }, keyof Check> {
  const path = block.text("path");
  if (path === undefined || !path.startsWith("/")) {
    block.error("path", { code: "job/check-path", summary: 'an http check needs a path that begins with "/"' });
  }
  return {
    protocol: block.text("protocol") === "https" ? "https" : "http",
    method: block.text("method") ?? "GET",
    path: path ?? "/",
    headers: block.headers("header"),
    body: block.text("body") ?? "",
    tlsServerName: block.text("tls_server_name") ?? "",
    tlsSkipVerify: block.bool("tls_skip_verify") ?? false,
  };
}

function buildCheckRestart(block: DecodedBlock | undefined): CheckRestart | undefined {
  if (!block) return undefined;
  return { limit: block.number("limit") ?? 0, graceMs: block.number("grace") ?? 1000 };
}
