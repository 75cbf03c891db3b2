import { lookup } from "node:dns";
import type { Server } from "node:net";
import { MusterError } from "../../errors/muster-error.ts";

/** "host:port" or "unix:path" as a server listens on it. A name of a host stands for all its addresses. */
type Place = { readonly path: string } | { readonly host: string; readonly port: number };

/**
 * Listens on an address: the first server on the first place that it stands for, others on the further ones at the same
 * port. `make` gives one server. Calls back once, with the port in use, 0 for a path.
 */
export function listenOn(address: string, make: () => Server, done: (result: number | MusterError) => void): void {
  const fail = (cause: Error): void =>
    done(new MusterError("unavailable", `can't listen on ${address}: ${cause.message}`, { cause }));
  placesOf(address, (places) => {
    if (places instanceof Error) return fail(places);
    const [first, ...others] = places;
    if (first === undefined) return fail(new Error("the name has no address"));
    listenAt(make(), first, (port) => {
      if (port instanceof Error) return fail(port);
      let left = others.length;
      if (left === 0) return done(port);
      // A name mostly has an address of each family; that one of them is in use elsewhere is told to nobody but its callers.
      for (const place of others) listenAt(make(), { ...place, port } as Place, () => --left === 0 && done(port));
    });
  });
}

function listenAt(server: Server, place: Place, done: (port: number | Error) => void): void {
  server.once("error", done);
  server.listen(place, () => {
    server.off("error", done);
    server.on("error", () => {});
    const bound = server.address();
    done(typeof bound === "object" && bound !== null ? bound.port : 0);
  });
}

function placesOf(address: string, done: (places: readonly Place[] | Error) => void): void {
  const [, host = "", portText = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  const port = Number(portText);
  if (address.startsWith("unix:")) done([{ path: address.slice("unix:".length) }]);
  else if (host === "" || port > 65_535) done(new Error("it is no host:port"));
  else lookup(host, { all: true }, (error, found) => done(error ?? found.map((one) => ({ host: one.address, port }))));
}
