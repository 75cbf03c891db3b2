import type { Server } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { contractPackage } from "@muster/foundation";
import { HealthImplementation, protoPath } from "grpc-health-check";
import { withStrictDescriptors } from "./reflection.ts";

export interface StandardServices {
  /** To be handed to `serveGrpc` as `extend`. */
  readonly extend: (server: Server) => void;
  /** What health probes are told from now on. */
  setServing(serving: boolean): void;
}

/** `grpc.health.v1.Health` and server reflection, so that stock tools and probes just work. */
export function standardServices(): StandardServices {
  const health = new HealthImplementation({ "": "NOT_SERVING" });
  return {
    extend: (server) => {
      health.addToServer(server);
      new ReflectionService(withStrictDescriptors({ ...contractPackage(), ...loadSync(protoPath) })).addToServer(
        server,
      );
    },
    setServing: (serving) => health.setStatus("", serving ? "SERVING" : "NOT_SERVING"),
  };
}
