import type { Server } from "@grpc/grpc-js";
import type { ServiceRegistrar } from "@muster/foundation";
import { contractJson, loaderOptions } from "@muster/proto";
import type { HealthImplementation } from "grpc-health-check";

export interface StandardServices {
  /** To be handed to `serveGrpc` as `extend`. */
  readonly extend: (registrar: ServiceRegistrar) => Promise<void>;
  /** What health probes are told from now on. */
  setRole(role: MasterRole): void;
}

export type MasterRole = "starting" | "standby" | "leading";

/** The health service of this name is SERVING while a master stands by; the nameless one while it leads. */
export const standbyService = "standby";

/**
 * `grpc.health.v1.Health` and server reflection, so that stock tools and probes just work. They are loaded when one calls:
 * that takes a third of a second, which a master that others wait for has better uses for.
 */
export function standardServices(): StandardServices {
  let role: MasterRole = "starting";
  let health: HealthImplementation | undefined;
  const tell = (): void => {
    health?.setStatus("", role === "leading" ? "SERVING" : "NOT_SERVING");
    health?.setStatus(standbyService, role === "standby" ? "SERVING" : "NOT_SERVING");
  };
  return {
    extend: async (registrar) => {
      const server = registrar as Server;
      const [loader, checks, { ReflectionService }, { withStrictDescriptors }] = await Promise.all([
        import("@grpc/proto-loader"),
        import("grpc-health-check"),
        import("@grpc/reflection"),
        import("./reflection.ts"),
      ]);
      health = new checks.HealthImplementation();
      tell();
      health.addToServer(server);
      const definitions = {
        ...loader.fromJSON(JSON.parse(contractJson), loaderOptions),
        ...loader.loadSync(checks.protoPath),
      };
      new ReflectionService(withStrictDescriptors(definitions)).addToServer(server);
    },
    setRole: (now) => {
      role = now;
      tell();
    },
  };
}
