import type { Network, Service } from "../job/types.ts";
import { buildChecks } from "./build-checks.ts";
import { buildPort } from "./build-port.ts";
import type { DecodedBlock } from "./decoded.ts";

export interface ServiceContext {
  readonly defaultName: string;
  readonly network: Network;
  /** Tasks that a check may name: none inside a task. */
  readonly taskNames: readonly string[];
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
  if (port.port !== undefined && !context.network.ports.some((one) => one.static === port.port))
    block.warning("port", {
      code: "job/service-port",
      summary: `${port.port} is no fixed port of the group: the service is found by its address alone`,
      hint: `port "NAME" { static = ${port.port} } in the group's network`,
    });
  return {
    name: block.text("name") ?? context.defaultName,
    ...port,
    tags: block.texts("tags") ?? [],
    meta: block.textMap("meta"),
    checks: buildChecks(block, context),
  };
}
