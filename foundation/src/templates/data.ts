import { type TemplateMap, TemplateStruct, type TemplateValue } from "./values.ts";

/** What a template asks for that can change. `keys`: all keys below a folder; "" is all there are. */
export interface TemplateNeed {
  readonly kind: "service" | "services" | "key" | "keys";
  /** Empty with `services`. */
  readonly name: string;
}

/** One running, ready instance of a service. */
export interface ServiceInstance {
  readonly taskId: string;
  readonly jobName: string;
  readonly agentId: string;
  readonly agentName: string;
  readonly agentIp: string;
  readonly address: string;
  /** 0: it has none. */
  readonly port: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
}

/** Undefined: it is not known yet. */
export interface TemplateData {
  readonly environment: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  /** Undefined: the task has no such secret, or it has no such key. */
  secret(name: string, key: string): string | undefined;
  service(name: string): readonly ServiceInstance[] | undefined;
  /** Names with their tags, in order of the names. */
  services(): readonly { readonly name: string; readonly tags: readonly string[] }[] | undefined;
  /** `value` undefined: there is no such key. */
  key(path: string): { readonly value: string | undefined } | undefined;
  /** By their whole paths, in order. */
  keys(folder: string): readonly (readonly [path: string, value: string])[] | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

export function needText({ kind, name }: TemplateNeed): string {
  if (kind === "services") return "the list of services";
  return kind === "keys" ? `keys below ${name === "" ? "/" : name}` : `${kind} ${name}`;
}

export function instanceStruct(name: string, one: ServiceInstance): TemplateStruct {
  const meta: TemplateMap = new Map(Object.entries(one.meta));
  return new TemplateStruct("service", {
    ID: one.taskId,
    Name: name,
    Address: one.address,
    Port: one.port,
    Tags: [...one.tags],
    ServiceMeta: meta,
    Meta: meta,
    Node: one.agentName,
    NodeID: one.agentId,
    NodeAddress: one.agentIp,
    JobID: one.jobName,
    AllocID: one.taskId,
    Status: "passing",
  });
}

/**
 * So many instances for somebody: each pair of both draws a number, and the highest are taken. So an instance that comes
 * or goes changes the choice of those alone whom it concerns, and over many the load is even. O(n log n).
 */
export function chosenFor(whom: string, instances: readonly TemplateStruct[], count: number): TemplateStruct[] {
  const drawn = instances.map((one) => ({ one, draw: drawOf(`${whom}\0${String(one.fields.get("ID"))}`) }));
  const inOrder = drawn.sort((a, b) => b.draw - a.draw).slice(0, count);
  return inOrder.map(({ one }) => one);
}

/** FNV-1a, with its bits mixed: names that differ at their ends alone would else draw neighbours. */
function drawOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function namedStruct(name: string, tags: readonly string[]): TemplateStruct {
  return new TemplateStruct("service name", { Name: name, Tags: [...tags] });
}

/** `Key` is what comes after the folder. */
export function pairStruct(path: string, folder: string, value: string): TemplateValue {
  const key = folder === "" ? path : path.slice(folder.length + 1);
  return new TemplateStruct("key", { Path: path, Key: key, Value: value });
}
