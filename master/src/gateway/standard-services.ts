import type { Server } from "@grpc/grpc-js";
import { fromJSON, loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { contractJson, loaderOptions } from "@muster/proto";
import { HealthImplementation, protoPath } from "grpc-health-check";
import { withStrictDescriptors } from "./reflection.ts";

export interface StandardServices {
  /** To be handed to `serveGrpc` as `extend`. */
  readonly extend: (server: Server) => void;
  /** What health probes are told from now on. */
  setRole(role: MasterRole): void;
}

export type MasterRole = "starting" | "standby" | "leading";

/** The health service of this name is SERVING while a master stands by; the nameless one while it leads. */
export const standbyService = "standby";

/** `grpc.health.v1.Health` and server reflection, so that stock tools and probes just work. */
export function standardServices(): StandardServices {
  const health = new HealthImplementation({ "": "NOT_SERVING", [standbyService]: "NOT_SERVING" });
  return {
    extend: (server) => {
      health.addToServer(server);
      const contract = fromJSON(JSON.parse(contractJson), loaderOptions);
      new ReflectionService(withStrictDescriptors({ ...contract, ...loadSync(protoPath) })).addToServer(server);
    },
    setRole: (role) => {
      health.setStatus("", role === "leading" ? "SERVING" : "NOT_SERVING");
      health.setStatus(standbyService, role === "standby" ? "SERVING" : "NOT_SERVING");
    },
  };
}
