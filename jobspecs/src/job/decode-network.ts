import { type Reader, refuseTwice, typed } from "./reader.ts";
import {
  type FurtherNetwork,
  isAlone,
  isNetworkMode,
  moreNetworksMax,
  type Network,
  type NetworkDns,
  type NetworkLimits,
  type NetworkMode,
  type NetworkPort,
} from "./types.ts";

const readPort = typed(
  (reader): NetworkPort => ({
    label: reader.name("label"),
    ...(reader.has("static") ? { static: reader.integer("static", 1, 65_535) } : {}),
    ...(reader.has("to") ? { to: reader.integer("to", -1, 65_535) } : {}),
    ...(reader.has("hostNetwork") ? { hostNetwork: reader.name("hostNetwork") } : {}),
    ...(reader.has("network") ? { network: reader.integer("network", 1, moreNetworksMax) } : {}),
  }),
);

export const readNetwork = typed((reader): Network => {
  const ports = reader.list("ports", 1000, readPort);
  refuseTwice(
    ports.map((port) => port.label),
    reader.at("ports"),
  );
  const mode = readMode(reader);
  const more = reader.has("more") ? reader.list("more", moreNetworksMax, readFurther) : [];
  refuseTwice([mode, ...more.map((each) => each.mode)], reader.at("more"));
  if (more.length > 0 && [mode, ...more.map((each) => each.mode)].some(isAlone))
    reader.fail("more", "neither host nor none can be beside another network");
  if (ports.some(({ network = 0 }) => network > more.length)) reader.fail("ports", "names a network that is not there");
  return {
    mode,
    ...(reader.has("hostname") ? { hostname: reader.text("hostname") } : {}),
    ...(reader.has("dns") ? { dns: readDns(reader.raw("dns"), reader.at("dns")) } : {}),
    ...(reader.has("limits") ? { limits: readLimits(reader.raw("limits"), reader.at("limits")) } : {}),
    ports,
    ...(more.length > 0 ? { more } : {}),
  };
});

const readFurther = typed(
  (reader): FurtherNetwork => ({
    mode: readMode(reader),
    ...(reader.has("limits") ? { limits: readLimits(reader.raw("limits"), reader.at("limits")) } : {}),
  }),
);

function readMode(reader: Reader): NetworkMode {
  const mode = reader.text("mode");
  return isNetworkMode(mode) ? mode : reader.fail("mode", "must be host, bridge, none, cni/NAME or overlay/NAME");
}

const readLimits = typed((reader): NetworkLimits => {
  const whole = (name: keyof NetworkLimits & string, max: number) =>
    reader.has(name) ? { [name]: reader.integer(name, 1, max) } : {};
  return {
    ...whole("downMbit", 400_000),
    ...whole("upMbit", 400_000),
    ...whole("connections", 1_000_000),
    ...whole("connectionsPerSecond", 1_000_000),
  };
});

const readDns = typed(
  (reader): NetworkDns => ({
    servers: reader.texts("servers"),
    searches: reader.texts("searches"),
    options: reader.texts("options"),
  }),
);
