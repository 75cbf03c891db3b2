import { type Job, modeOfPort, type NetworkMode, type NetworkPort, type TaskGroup } from "./types.ts";

/** What is to be known of an agent to tell how a job's networks would do on it. */
export interface NetworkedAgent {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly networkModes: readonly string[];
}

/** Agents that one warning names. */
const agentsNamedMax = 5;

/** What is worth knowing of a job's networks before it runs on these agents. Pure. */
export function networkWarnings(job: Job, agents: Iterable<NetworkedAgent>): string[] {
  const known = [...agents];
  return job.groups.flatMap((group) => [...hostWarnings(group), ...portWarnings(group, known)]);
}

function hostWarnings({ name, network: { mode } }: TaskGroup): string[] {
  if (mode !== "host") return [];
  const reach = "its tasks reach whatever listens on the host's loopback, and are trusted with its ports";
  return [`group ${name}: shares the host's network: ${reach}; mode = "bridge" gives it one of its own`];
}

/** A network of CNI whose plugins do not take ports leaves those of the host leading nowhere. */
function portWarnings({ name, network }: TaskGroup, agents: readonly NetworkedAgent[]): string[] {
  const modes = new Set(network.ports.map((port) => modeOfPort(network, port)));
  return [...modes].flatMap((mode) => {
    const ports = network.ports.filter((port) => modeOfPort(network, port) === mode);
    return unmappedWarnings(name, mode, ports, agents);
  });
}

function unmappedWarnings(
  name: string,
  mode: NetworkMode,
  ports: readonly NetworkPort[],
  agents: readonly NetworkedAgent[],
): string[] {
  if (!mode.startsWith("cni/")) return [];
  const attribute = `network.${mode.replace("/", ".")}.ports`;
  const lacking = agents.filter(
    (agent) => agent.networkModes.includes(mode) && agent.attributes.get(attribute) === "false",
  );
  if (lacking.length === 0) return [];
  const names = lacking.slice(0, agentsNamedMax).map((agent) => agent.name);
  const more = lacking.length > agentsNamedMax ? ` and ${lacking.length - agentsNamedMax} more` : "";
  const labels = ports.map(({ label }) => label).join(", ");
  return [
    `group ${name}: ports ${labels}: no plugin of network ${mode} takes ports on ${names.join(", ")}${more}: the host's ports lead nowhere there; chain portmap with the capability portMappings in its configuration`,
  ];
}
