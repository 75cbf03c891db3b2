import type { Discovery } from "../discovery.ts";
import { label } from "../names/label.ts";
import type { DnsRecord } from "../names/record.ts";
import { recordType } from "../wire/constants.ts";
import { dottedName, type WireName, wireName } from "../wire/name.ts";
import { addressText, servicePort } from "../wire/rdata.ts";

export interface HostView {
  readonly host: string;
  readonly ip: string;
}

export interface ServiceView {
  readonly service: string;
  readonly host: string;
  readonly ip: string;
  /** A number as text, as Mesos-DNS has it. */
  readonly port: string;
}

export interface EnumerationView {
  readonly frameworks: readonly {
    readonly name: string;
    readonly tasks: readonly {
      readonly name: string;
      readonly id: string;
      readonly records: readonly { readonly name: string; readonly host: string; readonly rtype: string }[];
    }[];
  }[];
}

/** The addresses of a name. */
export function hostsOf(discovery: Discovery, name: string): HostView[] {
  const wire = lookUp(name);
  return wire === undefined ? [] : addresses(discovery, wire).map((ip) => ({ host: plain(name), ip }));
}

/** The ports behind an SRV name, each with every address of its target. */
export function servicesOf(discovery: Discovery, name: string): ServiceView[] {
  const wire = lookUp(name);
  if (wire === undefined) return [];
  return discovery.zone.records(wire, recordType.SRV).flatMap(({ rdata, target }) =>
    target === undefined
      ? []
      : addresses(discovery, target).map((ip) => ({
          service: plain(name),
          host: dottedName(target),
          ip,
          port: String(servicePort(rdata)),
        })),
  );
}

/** Every running task with its records. O(tasks). */
export function enumeration(discovery: Discovery): EnumerationView {
  const frameworks = new Map<string, EnumerationView["frameworks"][number]["tasks"][number][]>();
  for (const task of discovery.picture.tasks()) {
    const records = discovery.picture.recordsOf(task).map(recordView);
    const tasks = frameworks.get(task.frameworkName) ?? [];
    tasks.push({ name: label(task.name), id: task.taskId, records });
    frameworks.set(task.frameworkName, tasks);
  }
  return { frameworks: [...frameworks].map(([name, tasks]) => ({ name, tasks })) };
}

/** What Prometheus asks its targets from: one group a task port that has a name. */
export function prometheusTargets(discovery: Discovery, name: string): { targets: string[]; labels: object }[] {
  const services = servicesOf(discovery, name);
  if (services.length === 0) return [];
  const targets = services.map(({ ip, port }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`));
  return [{ targets, labels: { __meta_muster_service: plain(name) } }];
}

function addresses(discovery: Discovery, name: WireName): string[] {
  return [recordType.A, recordType.AAAA].flatMap((type) =>
    discovery.zone.records(name, type).map(({ rdata }) => addressText(rdata)),
  );
}

function lookUp(name: string): WireName | undefined {
  return wireName(plain(name));
}

function plain(name: string): string {
  return name.replace(/\.$/, "").toLowerCase();
}

function recordView(record: DnsRecord): { name: string; host: string; rtype: string } {
  if (record.type === "srv") return { name: record.name, host: `${record.target}:${record.port}`, rtype: "SRV" };
  if (record.type === "txt") return { name: record.name, host: record.text, rtype: "TXT" };
  return { name: record.name, host: record.ip, rtype: record.ip.includes(":") ? "AAAA" : "A" };
}
