import type { AttributeSchema, BlockSchema } from "../schema/model.ts";
import { jobBlock } from "../schema/table.ts";
import { durationText } from "./duration.ts";
import type { HclItem, HclValue } from "./print.ts";

/** Something that the converted job has not, and why. */
export interface Loss {
  /** Place in what was converted, e.g. `TaskGroups[0].Tasks[1].Vault`. */
  readonly path: string;
  readonly reason: string;
}

type Json = Readonly<Record<string, unknown>>;

/** Names of fields that are not those of the job file in CamelCase; "" stands for what says nothing about a job. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  job: {
    TaskGroups: "group",
    Constraints: "constraint",
    Affinities: "affinity",
    Spreads: "spread",
    ParameterizedJob: "parameterized",
    UI: "ui",
    ...Object.fromEntries(
      // What the server keeps beside a job, and the label.
      `ID ParentID Dispatched DispatchIdempotencyToken Payload Status StatusDescription Stable Version SubmitTime
      CreateIndex ModifyIndex JobModifyIndex NomadTokenID VersionTag`
        .split(/\s+/)
        .map((name) => [name, ""]),
    ),
  },
  group: {
    Name: "",
    Tasks: "task",
    Networks: "network",
    Services: "service",
    Constraints: "constraint",
    Affinities: "affinity",
    Spreads: "spread",
    RestartPolicy: "restart",
    ReschedulePolicy: "reschedule",
    Volumes: "volume",
  },
  task: {
    Name: "",
    Services: "service",
    Constraints: "constraint",
    Affinities: "affinity",
    RestartPolicy: "restart",
    LogConfig: "logs",
    Templates: "template",
    Artifacts: "artifact",
    VolumeMounts: "volume_mount",
    CSIPluginConfig: "csi_plugin",
    Actions: "action",
    ScalingPolicies: "scaling",
    Identities: "identity",
    Secrets: "secret",
  },
  resources: {
    CPU: "cpu",
    MemoryMB: "memory",
    MemoryMaxMB: "memory_max",
    DiskMB: "disk",
    IOPS: "iops",
    SecretsMB: "secrets",
    Networks: "network",
    Devices: "device",
    NUMA: "numa",
  },
  ephemeral_disk: { SizeMB: "size" },
  volume: { Name: "" },
  artifact: {
    GetterSource: "source",
    GetterOptions: "options",
    GetterHeaders: "headers",
    GetterMode: "mode",
    GetterInsecure: "insecure",
    RelativeDest: "destination",
  },
  constraint: { LTarget: "attribute", RTarget: "value", Operand: "operator" },
  periodic: { Spec: "cron", Specs: "crons", SpecType: "" },
  logs: { MaxFileSizeMB: "max_file_size" },
  service: { PortLabel: "port", Checks: "check", TaskName: "task" },
  check: {
    PortLabel: "port",
    TaskName: "task",
    TLSServerName: "tls_server_name",
    TLSSkipVerify: "tls_skip_verify",
    GRPCService: "grpc_service",
    GRPCUseTLS: "grpc_use_tls",
  },
  template: {
    EmbeddedTmpl: "data",
    SourcePath: "source",
    DestPath: "destination",
    LeftDelim: "left_delimiter",
    RightDelim: "right_delimiter",
    Envvars: "env",
    ErrMissingKey: "error_on_missing_key",
  },
  network: { DNS: "dns", CNI: "cni", MBits: "mbits", CIDR: "cidr", IP: "ip" },
  port: { Label: "", Value: "static" },
};

/** Zero says nothing here: the field is as if it were not there. */
const zeroIsAbsent = new Set([
  "cores",
  "memory_max",
  "disk",
  "static",
  "to",
  "iops",
  "secrets",
  "mbits",
  "max_parallel",
]);

/** What Nomad fills in where nothing was written. */
const filledIn: Readonly<Record<string, unknown>> = {
  region: "global",
  namespace: "default",
  node_pool: "default",
  address_mode: "auto",
  on_update: "require_healthy",
  host_network: "default",
};

/** The job of Nomad's API, bare or as `{ "Job": ... }`, as items of a job file, with what was left out. */
export function fromNomad(document: Json): { items: HclItem[]; id: string; losses: Loss[] } {
  const job = isObject(document["Job"]) ? document["Job"] : document;
  const losses: Loss[] = [];
  const id = String(job["ID"] ?? job["Name"] ?? "job");
  const items = new Converter(losses).block(job, jobBlock, "job", "");
  const named = items.filter((item) => !("name" in item && item.name === "name" && item.value === id));
  return { items: [{ type: "job", label: id, items: named }], id, losses };
}

class Converter {
  readonly #losses: Loss[];

  constructor(losses: Loss[]) {
    this.#losses = losses;
  }

  /** Attributes first, as people write them. */
  block(json: Json, schema: BlockSchema, type: string, path: string): HclItem[] {
    const attributes: HclItem[] = [];
    const blocks: HclItem[] = [];
    for (const [field, value] of Object.entries(json)) {
      if (isEmpty(value)) continue;
      const at = path === "" ? field : `${path}.${field}`;
      if (type === "network" && (field === "DynamicPorts" || field === "ReservedPorts")) {
        blocks.push(...this.#blocks(value, "port", schema.blocks["port"], at));
        continue;
      }
      const name = renamed[type]?.[field] ?? snakeCase(field);
      if (name === "" || filledIn[name] === value) continue;
      const inner = Object.hasOwn(schema.blocks, name) ? schema.blocks[name] : undefined;
      if (type === "task" && name === "config") blocks.push({ type: name, items: freeItems(value as Json) });
      else if (inner) blocks.push(...this.#blocks(value, name, inner, at));
      else attributes.push(...this.#attribute(value, name, schema.attributes[name], at));
    }
    const hasCores = attributes.some((item) => "name" in item && item.name === "cores");
    return [...attributes.filter((item) => !(hasCores && "name" in item && item.name === "cpu")), ...blocks];
  }

  #lose(path: string, reason: string): [] {
    this.#losses.push({ path, reason });
    return [];
  }

  #attribute(value: unknown, name: string, schema: AttributeSchema | undefined, path: string): HclItem[] {
    if (value === 0 && zeroIsAbsent.has(name)) return [];
    if (schema?.status !== "works") {
      // A switch that is off changes nothing.
      const reason = schema ? (schema.reason ?? "is not available") : "is not known to job files";
      return value === false || value === 0 ? [] : this.#lose(path, reason);
    }
    if (schema.type === "duration" && typeof value === "number")
      return [{ name, value: durationText(value / 1_000_000) }];
    return [{ name, value: plainValue(value) }];
  }

  #blocks(value: unknown, type: string, schema: BlockSchema | undefined, path: string): HclItem[] {
    if (!schema) return this.#lose(path, "is not known to job files");
    if (schema.status !== "works") return this.#lose(path, schema.reason ?? "is not available");
    // Volumes stand by their names, everything else with a label in a list.
    const isByName = type === "volume" && isObject(value);
    const list: readonly unknown[] = isByName ? Object.values(value) : Array.isArray(value) ? value : [value];
    return list.flatMap((one, index): HclItem[] => {
      if (!isObject(one)) return this.#lose(path, "is no object");
      const at = Array.isArray(value) ? `${path}[${index}]` : path;
      const items = this.block(one, schema, type, at);
      const label = one["Name"] ?? one["Label"];
      return [schema.labels === 1 ? { type, label: String(label ?? ""), items } : { type, items }];
    });
  }
}

/** A driver's own settings: objects in lists, and objects, are blocks. */
function freeItems(json: Json): HclItem[] {
  const items = Object.entries(json).flatMap(([name, value]): HclItem[] => {
    if (isEmpty(value)) return [];
    const list = Array.isArray(value) && value.every(isObject) ? value : isObject(value) ? [value] : undefined;
    return list ? list.map((one) => ({ type: name, items: freeItems(one) })) : [{ name, value: plainValue(value) }];
  });
  return [...items.filter((item) => "name" in item), ...items.filter((item) => "type" in item)];
}

function plainValue(value: unknown): HclValue {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(plainValue);
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, item]) => (item === null ? [] : [[name, plainValue(item)]])),
    );
  return typeof value === "number" || typeof value === "boolean" ? value : String(value);
}

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** `MinHealthyTime` -> `min_healthy_time`. */
const snakeCase = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
