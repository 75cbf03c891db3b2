/** What an agent is like, for constraints. */
export interface AgentTraits {
  readonly agentId: string;
  readonly agentName: string;
  /** By dotted name without "attr.". */
  readonly attributes: ReadonlyMap<string, string>;
}

/** Longer texts are not looked into. */
const textLengthMax = 4_096;

/**
 * Puts an agent's properties in place of `${attr.NAME}`, `${meta.NAME}` and `${node.NAME}`. Undefined: the agent lacks one
 * of them. Text without references is itself.
 */
export function resolveText(text: string, agent: AgentTraits): string | undefined {
  if (text.length > textLengthMax) return undefined;
  if (!text.includes("${")) return text;
  let isWhole = true;
  const resolved = text.replace(/\$\{\s*([^}]*?)\s*\}/g, (_, reference: string) => {
    const value = traitOf(agent, reference);
    if (value === undefined) isWhole = false;
    return value ?? "";
  });
  return isWhole ? resolved : undefined;
}

/** One property by its reference, for instance "attr.kernel.name" or "node.unique.id". */
export function traitOf(agent: AgentTraits, reference: string): string | undefined {
  if (reference === "node.unique.id") return agent.agentId;
  if (reference === "node.unique.name") return agent.agentName;
  if (reference.startsWith("attr.")) return agent.attributes.get(reference.slice("attr.".length));
  const meta = /^meta\[\s*"([^"]*)"\s*\]$/.exec(reference);
  return agent.attributes.get(meta ? `meta.${meta[1]}` : reference);
}
