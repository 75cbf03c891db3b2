import { canonicalLabel, domainFragment, label, nameLengthMax } from "./label.ts";
import type { DnsRecord } from "./record.ts";

/** What naming needs to know of a running task. */
export interface NamedTask {
  readonly taskId: string;
  readonly name: string;
  readonly frameworkName: string;
  readonly agentId: string;
  readonly agentIp: string;
  /** The task's own addresses; none if it uses the host's. */
  readonly ips: readonly string[];
  /** The ports of its group. */
  readonly ports: readonly NamedPort[];
  /** All its networks, if it has several; `ips` are those of the first. */
  readonly networks?: readonly { readonly ips: readonly string[] }[];
  readonly endpoints: readonly NamedEndpoint[];
  readonly ttlSeconds: number;
}

export interface NamedPort {
  readonly label: string;
  /** On the host; 0 if it is open on the task's own address only. */
  readonly number: number;
  /** In the task's own network. */
  readonly to: number;
  /** "tcp", "udp", or empty for both. */
  readonly protocol: string;
  /** Host address that it is open on; empty for the agent's. */
  readonly ip: string;
  /** Which of the task's networks it is in; absent or 0: the first. */
  readonly network?: number;
}

export interface NamedEndpoint {
  readonly name: string;
  /** Empty for a name without a port. */
  readonly portLabel: string;
  /** "tcp", "udp", "tcp,udp"; empty means tcp. */
  readonly protocol: string;
}

/** The records of a task under one of its names. */
export interface NameRecords {
  /** `<name>.<framework>`, shared with all tasks of that name: the scope of panic mode. */
  readonly service: string;
  /** Records of the shared names. */
  readonly shared: readonly DnsRecord[];
  /** Records of the names that the task has for itself. */
  readonly own: readonly DnsRecord[];
}

export interface TaskNames {
  readonly names: readonly NameRecords[];
  /** Names that cannot be published, with the reason. */
  readonly refused: readonly string[];
}

/** Labels that the cluster needs for itself directly under its domain. */
const reservedLabel = /^(?:leader|master\d*|agents?|slave|ns\d*|_.*)$/;

/** Every record of one running task, by the names that it has. */
export function taskNames(task: NamedTask, domain: string): TaskNames {
  const framework = domainFragment(task.frameworkName);
  if (framework === "") return refuse(`framework ${task.frameworkName}: no letter or digit`);
  if (reservedLabel.test(framework.slice(framework.lastIndexOf(".") + 1)))
    return refuse(`framework ${task.frameworkName}: the cluster needs that name`);
  const names: NameRecords[] = [];
  const refused: string[] = [];
  for (const [name, endpoints] of endpointsByName(task)) {
    const taskLabel = label(name);
    if (taskLabel === "") {
      refused.push(`task ${name}: no letter or digit`);
      continue;
    }
    const records = nameRecords(task, taskLabel, framework, domain, endpoints);
    const tooLong = [...records.shared, ...records.own].find((record) => record.name.length > nameLengthMax);
    if (tooLong) refused.push(`task ${name}: ${tooLong.name.length} characters of ${nameLengthMax}`);
    else names.push(records);
  }
  return { names, refused };
}

function refuse(reason: string): TaskNames {
  return { names: [], refused: [reason] };
}

/** Endpoints of one name belong together; a task without any is found under its own name, with all of its ports. */
function endpointsByName(task: NamedTask): Map<string, readonly NamedEndpoint[]> {
  const byName = new Map<string, NamedEndpoint[]>();
  for (const endpoint of task.endpoints) {
    const name = endpoint.name === "" ? task.name : endpoint.name;
    const known = byName.get(name);
    if (known) known.push(endpoint);
    else byName.set(name, [endpoint]);
  }
  if (byName.size === 0) byName.set(task.name, []);
  return byName;
}

function nameRecords(
  task: NamedTask,
  taskLabel: string,
  framework: string,
  domain: string,
  endpoints: readonly NamedEndpoint[],
): NameRecords {
  const ttlSeconds = task.ttlSeconds;
  const canonical = canonicalLabel(taskLabel, task.taskId, task.agentId);
  const zone = `${framework}.${domain}`;
  const agentZone = `${framework}.agent.${domain}`;
  const shared: DnsRecord[] = [];
  const own: DnsRecord[] = [];
  for (const ip of serviceIps(task, endpoints)) {
    shared.push({ type: "address", name: `${taskLabel}.${zone}`, ip, ttlSeconds });
    own.push({ type: "address", name: `${canonical}.${zone}`, ip, ttlSeconds });
  }
  shared.push({ type: "address", name: `${taskLabel}.${agentZone}`, ip: task.agentIp, ttlSeconds });
  own.push({ type: "address", name: `${canonical}.${agentZone}`, ip: task.agentIp, ttlSeconds });

  const addService = (name: string, port: number, target: string): void => {
    shared.push({ type: "srv", name, priority: 0, weight: 1, port, target, ttlSeconds });
  };
  for (const port of task.ports) {
    if (port.number === 0) continue;
    for (const protocol of protocolsOf(port.protocol, ["tcp", "udp"])) {
      const target = `${canonical}.${agentZone}`;
      addService(`_${taskLabel}._${protocol}.${agentZone}`, port.number, target);
      if (endpoints.length === 0) addService(`_${taskLabel}._${protocol}.${zone}`, port.number, target);
    }
  }
  for (const endpoint of endpoints) {
    const port = portOf(task, endpoint);
    if (!port) continue;
    const portLabel = label(endpoint.portLabel);
    const number = port.number > 0 ? port.number : port.to;
    for (const protocol of protocolsOf(endpoint.protocol, ["tcp"])) {
      const target = `${canonical}.${zone}`;
      addService(`_${taskLabel}._${protocol}.${zone}`, number, target);
      if (portLabel !== "") addService(`_${portLabel}._${taskLabel}._${protocol}.${zone}`, number, target);
    }
  }
  return { service: `${taskLabel}.${framework}`, shared, own };
}

/** The addresses that go with the ports under a name: those of the host if ports are open there, else the task's. */
function serviceIps(task: NamedTask, endpoints: readonly NamedEndpoint[]): ReadonlySet<string> {
  const ips = new Set<string>();
  const ports = endpoints.length === 0 ? task.ports : endpoints.map((endpoint) => portOf(task, endpoint));
  for (const port of ports) {
    if (!port) continue;
    if (port.number === 0) for (const ip of ipsOf(task, port)) ips.add(ip);
    else ips.add(isUnspecified(port.ip) ? task.agentIp : port.ip);
  }
  if (ips.size > 0) return ips;
  const isMapped = task.ports.some((port) => port.number > 0 && (port.network ?? 0) === 0);
  return new Set(task.ips.length > 0 && !isMapped ? task.ips : [task.agentIp]);
}

/** The task's own addresses in the network of a port. */
function ipsOf({ ips, networks = [] }: NamedTask, { network = 0 }: NamedPort): readonly string[] {
  return network === 0 ? ips : (networks[network]?.ips ?? []);
}

function portOf(task: NamedTask, endpoint: NamedEndpoint): NamedPort | undefined {
  if (endpoint.portLabel === "") return undefined;
  return task.ports.find((port) => port.label === endpoint.portLabel);
}

function isUnspecified(ip: string): boolean {
  return ip === "" || ip === "0.0.0.0" || ip === "::";
}

function protocolsOf(written: string, whenEmpty: readonly string[]): readonly string[] {
  const protocols = written
    .split(",")
    .map(label)
    .filter((protocol) => protocol !== "");
  return protocols.length > 0 ? protocols : whenEmpty;
}
