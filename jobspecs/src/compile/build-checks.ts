import { didYouMean } from "../diagnostics/suggest.ts";
import type { Check, CheckRestart, GrpcCheck, HttpCheck, ScriptCheck } from "../job/types.ts";
import { buildPort } from "./build-port.ts";
import type { ServiceContext } from "./build-services.ts";
import type { DecodedBlock } from "./decoded.ts";

const types = ["http", "tcp", "grpc", "script"] as const;

/** Attributes that only one type of check reads: on another they would be dropped in silence. */
const attributesOf: Readonly<Record<string, readonly string[]>> = {
  http: ["path", "method", "body", "protocol", "header"],
  grpc: ["grpc_service", "grpc_use_tls"],
  script: ["command", "args"],
};

type Own<T extends Check> = Omit<T, Exclude<keyof Check, "type"> | "type">;

/** The checks of a service. */
export function buildChecks(service: DecodedBlock, context: ServiceContext): Check[] {
  return service.all("check").flatMap((block) => buildCheck(block, service, context) ?? []);
}

function buildCheck(block: DecodedBlock, service: DecodedBlock, context: ServiceContext): Check | undefined {
  const type = types.find((one) => one === block.text("type"));
  const intervalMs = block.number("interval");
  const timeoutMs = block.number("timeout");
  if (type === undefined || intervalMs === undefined || timeoutMs === undefined) return undefined;
  refuseForeign(block, type);
  if (type === "script") refusePort(block);
  else if (!block.has("port") && !service.has("port"))
    block.error(undefined, { code: "job/check-port", summary: "neither the check nor its service has a port" });
  const restart = buildCheckRestart(block.first("check_restart") ?? service.first("check_restart"));
  const shared = {
    name: block.text("name") ?? `${type} check`,
    ...buildTaskName(block, context.taskNames),
    ...(type === "script" ? {} : buildPort(block, context.network)),
    intervalMs,
    timeoutMs,
    successesBeforePassing: block.number("success_before_passing") ?? 0,
    failuresBeforeCritical: block.number("failures_before_critical") ?? 0,
    ...(restart ? { checkRestart: restart } : {}),
  };
  switch (type) {
    case "tcp":
      return { type, ...shared };
    case "http":
      return { type, ...shared, ...buildHttp(block) };
    case "grpc":
      return { type, ...shared, ...buildGrpc(block) };
    case "script":
      return { type, ...shared, ...buildScript(block) };
  }
}

function refuseForeign(block: DecodedBlock, type: string): void {
  for (const [owner, names] of Object.entries(attributesOf))
    for (const name of names)
      if (owner !== type && block.has(name))
        block.warning(name, { code: "job/check-attribute", summary: `${name} has no effect on a ${type} check` });
}

function refusePort(block: DecodedBlock): void {
  if (block.has("port"))
    block.warning("port", { code: "job/check-attribute", summary: "port has no effect on a script check" });
}

function buildTaskName(block: DecodedBlock, names: readonly string[]): { task?: string } {
  const task = block.text("task");
  if (task === undefined) return {};
  if (names.length === 0) {
    const summary = "task has no effect on a check of a task's own service";
    block.warning("task", { code: "job/check-attribute", summary });
    return {};
  }
  if (!names.includes(task)) {
    const hint = didYouMean(task, names) ?? `its tasks: ${names.join(", ")}`;
    block.error("task", { code: "job/unknown-task", summary: `the group has no task "${task}"`, hint });
  }
  return { task };
}

function buildHttp(block: DecodedBlock): Own<HttpCheck> {
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
    ...buildTls(block),
  };
}

function buildGrpc(block: DecodedBlock): Own<GrpcCheck> {
  return {
    service: block.text("grpc_service") ?? "",
    tls: block.bool("grpc_use_tls") ?? false,
    ...buildTls(block),
  };
}

function buildTls(block: DecodedBlock): { tlsServerName: string; tlsSkipVerify: boolean } {
  return {
    tlsServerName: block.text("tls_server_name") ?? "",
    tlsSkipVerify: block.bool("tls_skip_verify") ?? false,
  };
}

function buildScript(block: DecodedBlock): Own<ScriptCheck> {
  const command = block.text("command") ?? "";
  if (command === "") block.error("command", { code: "job/check-command", summary: "a script check needs a command" });
  return { command, args: block.texts("args") ?? [] };
}

function buildCheckRestart(block: DecodedBlock | undefined): CheckRestart | undefined {
  if (!block) return undefined;
  return { limit: block.number("limit") ?? 0, graceMs: block.number("grace") ?? 1000 };
}
