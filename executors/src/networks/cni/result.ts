import { invalid } from "@muster/foundation";
import ipaddr from "ipaddr.js";
import { cniVersions } from "./network-list.ts";
import { asList, asObject, asText, asTexts, type JsonObject, parseObject } from "./read-json.ts";

/** Addresses, links, name servers of one result. */
export const resultEntriesMax = 256;

/** What a plugin says of a network that it has made. */
export interface CniResult {
  /** As it was printed: the next plugin gets it. */
  readonly raw: JsonObject;
  /** Addresses of the group; those of its first link that has one come first. */
  readonly ips: readonly string[];
  readonly dns: { readonly servers: string[]; readonly searches: string[]; readonly options: string[] };
}

/** Reads what a plugin has printed. Nothing of it is trusted. */
export function parseResult(text: string, what: string): CniResult {
  const raw = parseObject(text, what);
  const version = asText(raw["cniVersion"] ?? "", `${what}: cniVersion`);
  if (!cniVersions.includes(version))
    throw invalid(`${what}: cniVersion`, `"${version}" is none of ${cniVersions.join(", ")}`);
  const sandboxed = asList(raw["interfaces"], `${what}: interfaces`, resultEntriesMax).map((one, index) => {
    const link = asObject(one, `${what}: interfaces[${index}]`);
    asText(link["name"], `${what}: interfaces[${index}].name`);
    return asText(link["sandbox"] ?? "", `${what}: interfaces[${index}].sandbox`) !== "";
  });
  const found = asList(raw["ips"], `${what}: ips`, resultEntriesMax).map((one, index) =>
    readAddress(asObject(one, `${what}: ips[${index}]`), `${what}: ips[${index}]`, sandboxed.length),
  );
  // An address without a link is the group's: some plugins name no links at all.
  const own = found.filter(({ link }) => link === undefined || sandboxed[link] === true);
  const first = Math.min(...own.map(({ link }) => link ?? 0));
  const isFirst = ({ link }: Address): boolean => (link ?? 0) === first;
  const dns = raw["dns"] === undefined || raw["dns"] === null ? {} : asObject(raw["dns"], `${what}: dns`);
  return {
    raw,
    ips: [...own.filter(isFirst), ...own.filter((one) => !isFirst(one))].map(({ ip }) => ip),
    dns: readDns(dns, `${what}: dns`),
  };
}

interface Address {
  readonly ip: string;
  /** Index among the links; undefined: it names none. */
  readonly link: number | undefined;
}

function readAddress(entry: JsonObject, what: string, linkCount: number): Address {
  const text = asText(entry["address"], `${what}.address`);
  if (!ipaddr.isValidCIDR(text)) throw invalid(`${what}.address`, `"${text}" is no address with a prefix`);
  const link = entry["interface"] ?? undefined;
  if (link !== undefined && !(Number.isInteger(link) && (link as number) >= 0 && (link as number) < linkCount))
    throw invalid(`${what}.interface`, `${JSON.stringify(link)} is the index of none of the ${linkCount} interfaces`);
  return { ip: text.slice(0, text.indexOf("/")), link: link as number | undefined };
}

function readDns(dns: JsonObject, what: string): CniResult["dns"] {
  const servers = asTexts(dns["nameservers"], `${what}.nameservers`, resultEntriesMax);
  for (const [index, server] of servers.entries())
    if (!ipaddr.isValid(server)) throw invalid(`${what}.nameservers[${index}]`, `"${server}" is no address`);
  const words = (name: string): string[] =>
    asTexts(dns[name], `${what}.${name}`, resultEntriesMax).map((word, index) =>
      oneWord(word, `${what}.${name}[${index}]`),
    );
  const searches = words("search");
  const domain = dns["domain"] === undefined ? "" : oneWord(asText(dns["domain"], `${what}.domain`), `${what}.domain`);
  return { servers, searches: searches.length > 0 || domain === "" ? searches : [domain], options: words("options") };
}

/** It goes into a line of resolv.conf. */
function oneWord(text: string, field: string): string {
  if (/\s/.test(text)) throw invalid(field, "must hold no space");
  return text;
}

/** What a plugin says went wrong, in one line. Undefined: it has said nothing that can be read. */
export function errorOf(text: string): { readonly code: number; readonly message: string } | undefined {
  try {
    const { code, msg, details } = parseObject(text, "error");
    if (typeof code !== "number") return undefined;
    const words = [msg, details].filter((part): part is string => typeof part === "string" && part !== "");
    return { code, message: `code ${code}: ${words.join(": ").replace(/\s+/g, " ").slice(0, 1_000) || "no message"}` };
  } catch {
    return undefined;
  }
}

/** Versions of CNI that a plugin speaks, from its answer to VERSION. */
export function supportedVersions(text: string, what: string): string[] {
  return asTexts(parseObject(text, what)["supportedVersions"], `${what}: supportedVersions`, resultEntriesMax);
}
