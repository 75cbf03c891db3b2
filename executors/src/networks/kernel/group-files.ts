import { promises as fs } from "node:fs";
import { isIP } from "node:net";
import type { GroupNetwork } from "@muster/proto";

/** Where the real name servers stand on hosts whose own resolver listens on loopback. */
export const resolverFilesOfHost = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/** Writes what the tasks of a group see as hosts, hostname and resolv.conf of /etc. Tasks have them mounted: they are never replaced. */
export async function writeGroupFiles(
  folder: string,
  settings: GroupNetwork,
  ips: readonly string[],
  resolverFiles: readonly string[],
): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o755 });
  const hosts = await Promise.all(resolverFiles.map((path) => fs.readFile(path, "utf8").catch(() => "")));
  await writeInPlace(`${folder}/hosts`, hostsText(settings.hostname, ips));
  await writeInPlace(`${folder}/hostname`, `${settings.hostname}\n`);
  await writeInPlace(`${folder}/resolv.conf`, resolverText(settings, hosts));
}

export function hostsText(hostname: string, ips: readonly string[]): string {
  const own = ips.length > 0 ? ips : ["127.0.1.1"];
  return [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
    ...own.map((ip) => `${ip} ${hostname}`),
    "",
  ].join("\n");
}

/** What the job says, and for what it does not say, the host's: but never a resolver on the host's loopback. */
export function resolverText(settings: GroupNetwork, hosts: readonly string[]): string {
  const host = hosts.map(parseResolver).find(({ servers }) => servers.length > 0) ?? parseResolver("");
  const servers = settings.dnsServers.length > 0 ? settings.dnsServers : host.servers;
  const searches = settings.dnsSearches.length > 0 ? settings.dnsSearches : host.searches;
  const options = settings.dnsOptions.length > 0 ? settings.dnsOptions : host.options;
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.push(`search ${searches.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

interface Resolver {
  readonly servers: string[];
  readonly searches: string[];
  readonly options: string[];
}

function parseResolver(text: string): Resolver {
  const found: Resolver = { servers: [], searches: [], options: [] };
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.trim().split(/\s+/);
    const [first = ""] = rest;
    if (word === "nameserver" && isIP(first) !== 0 && !/^(127\.|::1$)/.test(first)) found.servers.push(first);
    else if (word === "search" || word === "domain") found.searches.splice(0, found.searches.length, ...rest);
    else if (word === "options") found.options.push(...rest);
  }
  return found;
}

async function writeInPlace(path: string, text: string): Promise<void> {
  const present = await fs.readFile(path, "utf8").catch(() => undefined);
  if (present !== text) await fs.writeFile(path, text, { mode: 0o644 });
}
