import { label } from "./label.ts";
import type { DnsRecord } from "./record.ts";

/** Seconds that the leader's address may be kept: it moves, and everybody waits for it. */
const leaderTtlSeconds = 1;
const agentTtlSeconds = 5;
const serverTtlSeconds = 60;

/** Names of the master: `leader`, `master`, and the SRV records of its port. */
export function masterNames(ip: string, port: number, domain: string): DnsRecord[] {
  const records: DnsRecord[] = [];
  for (const name of ["leader", "master"]) {
    const target = `${name}.${domain}`;
    records.push({ type: "address", name: target, ip, ttlSeconds: leaderTtlSeconds });
    const service = { type: "srv", priority: 0, weight: 1, port, target, ttlSeconds: leaderTtlSeconds } as const;
    records.push({ ...service, name: `_${name}._tcp.${domain}` });
  }
  return records;
}

/** Names of an agent: among all agents, and its own. */
export function agentNames(name: string, ip: string, domain: string): DnsRecord[] {
  const agents = `agents.${domain}`;
  const records: DnsRecord[] = [{ type: "address", name: agents, ip, ttlSeconds: agentTtlSeconds }];
  const own = label(name);
  if (own !== "") records.push({ type: "address", name: `${own}.${agents}`, ip, ttlSeconds: agentTtlSeconds });
  return records;
}

/** Names of this server: the address behind its NS record, and the version of the naming scheme. */
export function serverNames(ip: string, domain: string): DnsRecord[] {
  return [
    { type: "address", name: `ns1.${domain}`, ip, ttlSeconds: serverTtlSeconds },
    { type: "txt", name: `dns-version.${domain}`, text: "1.0.0", ttlSeconds: serverTtlSeconds },
  ];
}
