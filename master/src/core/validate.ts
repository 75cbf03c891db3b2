import {
  compilePattern,
  invalid,
  isEmptyResources,
  MusterError,
  PatternFault,
  priorityMax,
  type Resources,
  resources,
  revocableCapability,
  revocableCpu,
  revocableCpuMillis,
} from "@muster/foundation";
import type {
  FrameworkInfo,
  OfferConstraint,
  PortPart,
  PortRequest,
  Registration,
  TaskGroup,
  TaskInfo,
} from "@muster/proto";
import ipaddr from "ipaddr.js";
import { limits } from "./limits.ts";
import { type Constraint, noConstraints } from "./model.ts";
import { partsOverlap } from "./ports.ts";

/** Ids are 1 to 255 of these characters. */
const idForm = /^[A-Za-z0-9._-]{1,255}$/;
/** Parts of a role: no dots alone, no dash in front, nothing that means more elsewhere. */
const rolePart = /^(?!-)(?!\.{1,2}$)[A-Za-z0-9._-]+$/;
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

const volumeName = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text has the form of an id. O(length). */
export function isId(id: string): boolean {
  return idForm.test(id) && id !== "." && id !== "..";
}

/** What is wrong with an id, or undefined. */
export function idFault(field: string, id: string): MusterError | undefined {
  if (id === "") return invalid(field, "must not be empty");
  if (!isId(id)) return invalid(field, "must be 1 to 255 characters of A-Z, a-z, 0-9, dot, dash and underscore");
  return undefined;
}

export function roleFault(field: string, role: string): MusterError | undefined {
  if (role === "") return invalid(field, "must not be empty");
  if (role.length > limits.nameLength) return invalid(field, `must have at most ${limits.nameLength} characters`);
  for (const part of role.split("/"))
    if (!rolePart.test(part))
      return invalid(
        field,
        `"${role}" is no role: parts between slashes are letters, digits, dots, dashes, underscores`,
      );
  return undefined;
}

export function labelsFault(field: string, labels: { [key: string]: string }): MusterError | undefined {
  let count = 0;
  for (const name in labels) {
    if (++count > limits.labelsPerRecord) return invalid(field, `must be at most ${limits.labelsPerRecord}`);
    if (name.length > limits.labelLength || (labels[name] ?? "").length > limits.labelLength)
      return invalid(`${field}["${name.slice(0, 64)}"]`, `must have at most ${limits.labelLength} characters`);
  }
  return undefined;
}

/** Amounts are whole numbers from 0 to 2^53. */
export function resourcesFault(field: string, amounts: Resources | null): MusterError | undefined {
  if (amounts === null) return undefined;
  for (const [name, amount] of [
    ["cpu_millis", amounts.cpuMillis],
    ["memory_mi_b", amounts.memoryMiB],
    ["disk_mi_b", amounts.diskMiB],
    ["port_count", amounts.portCount],
  ] as const)
    if (!Number.isSafeInteger(amount) || amount < 0) return invalid(`${field}.${name}`, "must be 0 to 2^53");
  for (const name in amounts.custom) {
    const amount = amounts.custom[name] ?? 0;
    if (name === "" || name.length > limits.nameLength || !Number.isSafeInteger(amount) || amount < 0)
      return invalid(`${field}.custom`, "must have names, and amounts of 0 to 2^53");
  }
  return undefined;
}

/** What agents lend is taken back at any moment: nothing can be promised of it, and nothing set aside. */
export function firmFault(field: string, amounts: Resources | null): MusterError | undefined {
  if (amounts === null || revocableCpuMillis(amounts) === 0) return undefined;
  return invalid(
    `${field}.custom["${revocableCpu}"]`,
    "can't be promised or set aside: agents lend it and take it back",
  );
}

/** Only who says that it can cope uses what agents lend, and a task has its processor either so or firmly. */
export function revocableFault(
  framework: { readonly takesRevocable: boolean },
  field: string,
  amounts: Resources | null,
): MusterError | undefined {
  if (amounts === null || revocableCpuMillis(amounts) === 0) return undefined;
  const path = `${field}.custom["${revocableCpu}"]`;
  if (!framework.takesRevocable)
    return invalid(path, `is for frameworks with the capability "${revocableCapability}": agents may take it back`);
  if (amounts.cpuMillis > 0) return invalid(path, "can't be mixed with firm processor in one task");
  return undefined;
}

/** A framework's name is a domain below the cluster's, beside those of its masters, agents and name servers. */
const reservedNames = /^(leader|master\d*|agents?|slave|ns\d*)$/i;
/** Whose entries in State are those of people: the keys of templates. */
export const keysOwner = "keys";

export function frameworkFault(field: string, info: FrameworkInfo): MusterError | undefined {
  if (info.name === "") return invalid(`${field}.name`, "must not be empty");
  if (info.name.length > limits.nameLength || !nameForm.test(info.name))
    return invalid(`${field}.name`, "must be letters, digits, dots, dashes and underscores, a letter or digit first");
  if (reservedNames.test(info.name))
    return invalid(`${field}.name`, `"${info.name}" is a name of the cluster's own in DNS; choose another`);
  if (info.name === keysOwner)
    return invalid(`${field}.name`, `"${keysOwner}" owns the keys of templates; choose another`);
  if (info.roles.length === 0) return invalid(`${field}.roles`, "must name at least one role");
  if (info.roles.length > limits.rolesPerFramework)
    return invalid(`${field}.roles`, `must be at most ${limits.rolesPerFramework}`);
  for (const [index, role] of info.roles.entries()) {
    const fault = roleFault(`${field}.roles[${index}]`, role);
    if (fault) return fault;
    if (info.roles.indexOf(role) !== index) return invalid(`${field}.roles[${index}]`, `"${role}" is named twice`);
  }
  if (info.jobTypes.length > limits.jobTypesPerFramework)
    return invalid(`${field}.job_types`, `must be at most ${limits.jobTypesPerFramework}`);
  for (const [index, type] of info.jobTypes.entries())
    if (!idForm.test(type)) return invalid(`${field}.job_types[${index}]`, "must be a word");
  if (info.capabilities.length > limits.capabilitiesPerFramework)
    return invalid(`${field}.capabilities`, `must be at most ${limits.capabilitiesPerFramework}`);
  for (const [index, capability] of info.capabilities.entries())
    if (!idForm.test(capability)) return invalid(`${field}.capabilities[${index}]`, "must be a word");
  if (info.offerConstraints.length > limits.constraintsPerFramework)
    return invalid(`${field}.offer_constraints`, `must be at most ${limits.constraintsPerFramework}`);
  return resourcesFault(`${field}.minimum_offer`, info.minimumOffer) ?? labelsFault(`${field}.labels`, info.labels);
}

/** Makes constraints ready to be asked. Throws nothing: what is wrong comes back. */
export function readConstraints(
  field: string,
  constraints: readonly OfferConstraint[],
): readonly Constraint[] | MusterError {
  if (constraints.length === 0) return noConstraints;
  const ready: Constraint[] = [];
  for (const [index, { attribute, operator, value, role }] of constraints.entries()) {
    const path = `${field}[${index}]`;
    if (attribute === "") return invalid(`${path}.attribute`, "must not be empty");
    const holds = readOperator(path, operator, value);
    if (holds instanceof MusterError) return holds;
    ready.push({ attribute, role, holds });
  }
  return ready;
}

function readOperator(path: string, operator: string, value: string): Constraint["holds"] | MusterError {
  if (operator === "=") return (present) => present === value;
  if (operator === "!=") return (present) => present !== value;
  if (operator === "is_set") return (present) => present !== undefined;
  if (operator === "is_not_set") return (present) => present === undefined;
  if (operator !== "regexp") return invalid(`${path}.operator`, "must be =, !=, regexp, is_set or is_not_set");
  if (value.length > limits.regexpLength)
    return invalid(`${path}.value`, `must have at most ${limits.regexpLength} characters`);
  const pattern = compilePattern(value);
  if (pattern instanceof PatternFault)
    return invalid(`${path}.value`, `is no regular expression: it ${pattern.message}`);
  return remembering(
    (present) => present !== undefined && pattern.matches(present.slice(0, limits.regexpSubjectLength)),
  );
}

/** Many agents have the same value: each is asked about once. */
function remembering(holds: Constraint["holds"]): Constraint["holds"] {
  const answers = new Map<string | undefined, boolean>();
  return (present) => {
    const known = answers.get(present);
    if (known !== undefined) return known;
    if (answers.size >= limits.answersPerConstraint) answers.clear();
    const answer = holds(present);
    answers.set(present, answer);
    return answer;
  };
}

export function registrationFault(registration: Registration): MusterError | undefined {
  const field = "registration";
  const fault = idFault(`${field}.agent_id`, registration.agentId);
  if (fault) return fault;
  if (registration.name === "" || registration.name.length > limits.nameLength)
    return invalid(`${field}.name`, `must have 1 to ${limits.nameLength} characters`);
  if (registration.address === "") return invalid(`${field}.address`, "must not be empty");
  if (registration.resources === null) return invalid(`${field}.resources`, "must be given");
  if (registration.attributes.length > limits.attributesPerAgent)
    return invalid(`${field}.attributes`, `must be at most ${limits.attributesPerAgent}`);
  const { underlay } = registration;
  if (underlay !== null && !ipaddr.isValid(underlay.ip))
    return invalid(`${field}.underlay.ip`, `"${underlay.ip}" is no address`);
  if (underlay !== null && underlay.ip6 !== "" && !ipaddr.IPv6.isValid(underlay.ip6))
    return invalid(`${field}.underlay.ip6`, `"${underlay.ip6}" is no IPv6 address`);
  if ((underlay?.knownDigest.length ?? 0) > limits.nameLength)
    return invalid(`${field}.underlay.known_digest`, `must have at most ${limits.nameLength} characters`);
  if ((underlay?.backends.length ?? 0) > limits.backendsPerAgent)
    return invalid(`${field}.underlay.backends`, `must be at most ${limits.backendsPerAgent}`);
  const { dynamicPortFirst: first, dynamicPortLast: last } = registration;
  if (first > last || last > 65_535) return invalid(`${field}.dynamic_port_first`, "must be a range of ports");
  return resourcesFault(`${field}.resources`, registration.resources);
}

/** Of a task or a demand. */
export function priorityFault(field: string, priority: number | undefined): MusterError | undefined {
  if (priority === undefined || (priority >= 1 && priority <= priorityMax)) return undefined;
  return invalid(field, `must be 1 to ${priorityMax}`);
}

function budgetFault(field: string, { preemptionBudget = "", preemptedMax = 1 }: TaskInfo): MusterError | undefined {
  if (preemptionBudget.length > limits.nameLength)
    return invalid(`${field}.preemption_budget`, `must have at most ${limits.nameLength} characters`);
  if (preemptedMax > limits.preemptedMax)
    return invalid(`${field}.preempted_max`, `must be at most ${limits.preemptedMax}`);
  return undefined;
}

/** What is wrong with a task by itself, wherever it would run. */
export function taskFault(field: string, task: TaskInfo, portLabels: ReadonlySet<string>): MusterError | undefined {
  const fault =
    idFault(`${field}.task_id`, task.taskId) ??
    priorityFault(`${field}.priority`, task.priority) ??
    budgetFault(field, task);
  if (fault) return fault;
  if (task.name.length > limits.nameLength)
    return invalid(`${field}.name`, `must have at most ${limits.nameLength} characters`);
  if (task.resources === null) return invalid(`${field}.resources`, "must be given");
  const amounts = resourcesFault(`${field}.resources`, task.resources);
  if (amounts) return amounts;
  if (task.resources.portCount !== 0)
    return invalid(`${field}.resources.port_count`, "must be 0: ports belong to the group");
  if (isEmptyResources(task.resources)) return invalid(`${field}.resources`, "must ask for something");
  const endpoints = task.discovery?.endpoints ?? [];
  if (endpoints.length > limits.endpointsPerTask)
    return invalid(`${field}.discovery.endpoints`, `must be at most ${limits.endpointsPerTask}`);
  for (const [index, endpoint] of endpoints.entries()) {
    const place = `${field}.discovery.endpoints[${index}]`;
    if (endpoint.portLabel !== "" && !portLabels.has(endpoint.portLabel))
      return invalid(`${place}.port_label`, `"${endpoint.portLabel}" is no port of the group`);
    const fault = labelsFault(`${place}.meta`, endpoint.meta);
    if (fault) return fault;
  }
  return labelsFault(`${field}.labels`, task.labels);
}

/** What is wrong with whose files a group takes over, and who is given its own. */
function heritageFault(field: string, group: TaskGroup): MusterError | undefined {
  const { predecessorLaunchId, predecessorAddress, predecessorToken, filesToken } = group;
  if (predecessorLaunchId !== undefined) {
    const fault = idFault(`${field}.predecessor_launch_id`, predecessorLaunchId);
    if (fault) return fault;
  }
  if (filesToken !== undefined && !isToken(filesToken)) return invalid(`${field}.files_token`, tokenRule);
  if (predecessorAddress === undefined && predecessorToken === undefined) return undefined;
  if (predecessorLaunchId === undefined)
    return invalid(`${field}.predecessor_launch_id`, "must be given with predecessor_address");
  if (!/^[^\s/]{1,249}:\d{1,5}$/.test(predecessorAddress ?? ""))
    return invalid(`${field}.predecessor_address`, "must be a host and a port, at most 255 characters");
  return isToken(predecessorToken ?? "") ? undefined : invalid(`${field}.predecessor_token`, tokenRule);
}

const tokenRule = "must have 16 to 255 letters and digits";

function isToken(text: string): boolean {
  return /^[A-Za-z0-9]{16,255}$/.test(text);
}

/** What is wrong with a group apart from its tasks. */
export function groupFault(field: string, group: TaskGroup): MusterError | undefined {
  const fault = idFault(`${field}.launch_id`, group.launchId);
  if (fault) return fault;
  const other = heritageFault(field, group);
  if (other) return other;
  if (group.ports.length > limits.portsPerGroup)
    return invalid(`${field}.ports`, `must be at most ${limits.portsPerGroup}`);
  if (group.moreNetworks.length > limits.moreNetworksPerGroup)
    return invalid(`${field}.more_networks`, `must be at most ${limits.moreNetworksPerGroup}`);
  if (group.volumes.length > limits.volumesPerGroup)
    return invalid(`${field}.volumes`, `must be at most ${limits.volumesPerGroup}`);
  for (const [index, { name }] of group.volumes.entries()) {
    const path = `${field}.volumes[${index}].name`;
    if (!volumeName.test(name)) return invalid(path, "must be 1 to 64 letters, digits, dashes and underscores");
    if (group.volumes.findIndex((other) => other.name === name) !== index)
      return invalid(path, `"${name}" is named twice`);
  }
  const labels = new Set<string>();
  const asked: PortRequest[] = [];
  for (const [index, port] of group.ports.entries()) {
    const path = `${field}.ports[${index}]`;
    if (port.label === "" || port.label.length > limits.nameLength) return invalid(`${path}.label`, "must be a name");
    if (labels.has(port.label)) return invalid(`${path}.label`, `"${port.label}" is named twice`);
    labels.add(port.label);
    if (port.number > 65_535) return invalid(`${path}.number`, "must be 1 to 65535, or 0 for a dynamic one");
    if ((port.network ?? 0) > group.moreNetworks.length)
      return invalid(`${path}.network`, `the group has no network ${port.network}`);
    if (port.to > 65_535) return invalid(`${path}.to`, "must be at most 65535");
    if (port.protocol !== "" && port.protocol !== "tcp" && port.protocol !== "udp")
      return invalid(`${path}.protocol`, `must be "tcp", "udp" or empty`);
    if (port.number === 0) continue;
    if (asked.some((other) => other.number === port.number && isSamePort(other, port)))
      return invalid(`${path}.number`, `${port.number} is asked for twice`);
    asked.push(port);
  }
  return undefined;
}

/** Whether two requests for one number are for the same protocol on the same network of the host. */
function isSamePort(one: PortRequest, other: PortRequest): boolean {
  const part = ({ number, protocol, hostNetwork }: PortRequest): PortPart => ({ number, protocol, ip: hostNetwork });
  return partsOverlap(part(one), part(other));
}

/** A copy that keeps nothing of the message it came in. */
export function keptAmounts(amounts: Resources | null): Resources {
  return resources(amounts);
}
