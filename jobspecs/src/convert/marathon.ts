// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { durationText } from "./duration.ts";
import { isObject, type Loss } from "./nomad.ts";
import type { HclItem, HclValue } from "./print.ts";

type Json = Readonly<Record<string, unknown>>;

export interface MarathonJob {
  /** The app's path with "-" for "/": "/shop/cart" is "shop-cart". */
  readonly id: string;
  readonly items: HclItem[];
  readonly losses: Loss[];
}

/** An app, or a group of apps and groups, each app a job of its own. Ids that are relative are those of the group's. */
export function fromMarathon(document: Json, parent = ""): MarathonJob[] {
  const path = pathOf(document["id"], parent);
  const apps = listOf(document["apps"]);
  const groups = listOf(document["groups"]);
  if (apps.length + groups.length === 0 && !("apps" in document)) return [new App(document, path).job()];
  const made = [...apps, ...groups].flatMap((inner) => fromMarathon(inner, path));
  const dependencies = textsOf(document["dependencies"]);
  if (dependencies.length > 0)
    made[0]?.losses.push({ path: `${path}.dependencies`, reason: `start after ${dependencies.join(", ")} by hand` });
  return made;
}

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});

function pathOf(id: unknown, parent: string): string {
  const text = String(id ?? "");
  return text.startsWith("/") ? text.replace(/\/$/, "") : `${parent}/${text}`;
}

interface Port {
  readonly label: string;
  readonly static?: number;
  readonly to?: number;
}

/** Fields that say nothing about what is to run, or that are looked at elsewhere. */
const settled = new Set(
  `id cmd args cpus mem disk instances container networks ports portDefinitions requirePorts env labels healthChecks
  constraints upgradeStrategy backoffSeconds backoffFactor maxLaunchDelaySeconds taskKillGracePeriodSeconds user
  version versionInfo tasksStaged tasksRunning tasksHealthy tasksUnhealthy deployments tasks lastTaskFailure role
  killSelection executor`.split(/\s+/),
);

const reasons: Readonly<Record<string, string>> = {
  fetch: "files fetched before the start are not available in this release",
  uris: "files fetched before the start are not available in this release",
  storeUrls: "files fetched before the start are not available in this release",
  dependencies: "jobs do not wait for one another in this release",
  readinessChecks: "a check of a service gates each step of an update",
  unreachableStrategy: "instances on unreachable agents are replaced as the cluster is set",
  residency: "volumes are not available in this release",
  secrets: "secrets are not available in this release",
  acceptedResourceRoles: "a job has one role",
  ipAddress: "write a network of mode overlay or cni",
  gpus: "devices are not available in this release",
  tty: "job exec gives a terminal",
};

class App {
  readonly #app: Json;
  readonly #path: string;
  readonly #losses: Loss[] = [];
  readonly #container: Json;
  readonly #docker: Json;
  readonly #ports: readonly Port[];
  readonly #hasImage: boolean;

  constructor(app: Json, path: string) {
    this.#app = app;
    this.#path = path;
    this.#container = objectOf(app["container"]);
    this.#docker = objectOf(this.#container["docker"]);
    this.#hasImage = typeof this.#docker["image"] === "string";
    this.#ports = this.#readPorts();
  }

  job(): MarathonJob {
    const id = this.#path.replace(/^\//, "").replaceAll("/", "-");
    for (const [name, value] of Object.entries(this.#app)) {
      const says = value !== null && value !== 0 && !(Array.isArray(value) && value.length === 0) && value !== "";
      if (says && !settled.has(name)) this.#lose(name, reasons[name] ?? "has no counterpart");
    }
    const items: HclItem[] = [];
    const role = this.#app["role"];
    if (typeof role === "string" && role !== "*") items.push({ name: "role", value: role });
    const labels = objectOf(this.#app["labels"]);
    if (Object.keys(labels).length > 0) items.push({ name: "meta", value: textMap(labels) });
    items.push({ type: "group", label: "app", items: this.#group() });
    return { id, items: [{ type: "job", label: id, items }], losses: this.#losses };
  }

  #lose(field: string, reason: string): void {
    this.#losses.push({ path: `${this.#path}.${field}`, reason });
  }

  #group(): HclItem[] {
    const items: HclItem[] = [{ name: "count", value: numberOf(this.#app["instances"]) ?? 1 }];
    items.push(...this.#constraints(), ...this.#update(), ...this.#network());
    items.push(...this.#service(), { type: "task", label: "app", items: this.#task() });
    const backoff = numberOf(this.#app["backoffFactor"]);
    if (backoff !== undefined && backoff !== 1.15)
      this.#lose("backoffFactor", "services back off by doubling, from 1 s to 300 s");
    return items;
  }

  #readPorts(): Port[] {
    const isFixed = this.#app["requirePorts"] === true;
    const mappings = [...listOf(this.#container["portMappings"]), ...listOf(this.#docker["portMappings"])];
    const definitions = listOf(this.#app["portDefinitions"]);
    const plain = Array.isArray(this.#app["ports"]) ? this.#app["ports"].map((port) => ({ port })) : [];
    const written: readonly Json[] = mappings.length > 0 ? mappings : definitions.length > 0 ? definitions : plain;
    return written.map((one, index) => {
      const host = numberOf(one["hostPort"]) ?? numberOf(one["port"]) ?? 0;
      const to = numberOf(one["containerPort"]) ?? 0;
      const label = String(one["name"] ?? `port${index}`).replace(/[^A-Za-z0-9_]/g, "_");
      const isStatic = host > 0 && (mappings.length > 0 || isFixed);
      return { label, ...(isStatic ? { static: host } : {}), ...(to > 0 ? { to } : {}) };
    });
  }

  #network(): HclItem[] {
    const mode = String(listOf(this.#app["networks"])[0]?.["mode"] ?? this.#docker["network"] ?? "").toLowerCase();
    const isBridge = mode === "container/bridge" || mode === "bridge";
    if (mode === "container" || mode === "user") {
      const name = String(listOf(this.#app["networks"])[0]?.["name"] ?? "");
      this.#lose("networks", `write mode = "overlay/${name || "NAME"}" or "cni/${name || "NAME"}" in network`);
    }
    if (this.#ports.length === 0 && !isBridge) return [];
    const ports = this.#ports.map((port): HclItem => {
      const { label, ...numbers } = port;
      return { type: "port", label, items: Object.entries(numbers).map(([name, value]) => ({ name, value })) };
    });
    return [{ type: "network", items: [...(isBridge ? [{ name: "mode", value: "bridge" }] : []), ...ports] }];
  }

  #constraints(): HclItem[] {
    const written = Array.isArray(this.#app["constraints"]) ? this.#app["constraints"] : [];
    return written.flatMap((one): HclItem[] => {
      const parts = Array.isArray(one)
        ? one
        : [objectOf(one)["field"], objectOf(one)["operator"], objectOf(one)["value"]];
      const [field, operator, value] = parts.map((part: unknown) => String(part ?? ""));
      const attribute = attributeOf(field ?? "");
      const constraint = (name: string, right?: string): HclItem[] => [
        {
          type: "constraint",
          items: [
            { name: "attribute", value: attribute },
            { name: "operator", value: name },
            ...(right === undefined || right === "" ? [] : [{ name: "value", value: right }]),
          ],
        },
      ];
      switch (operator) {
        case "UNIQUE":
          return constraint("unique");
        case "CLUSTER":
          return constraint("cluster", value);
        case "LIKE":
          return constraint("like", value);
        case "UNLIKE":
          return constraint("unlike", value);
        case "MAX_PER":
          return constraint("max_per", value);
        case "IS":
          return constraint("=", value);
        default:
          this.#lose("constraints", `${operator} over ${field}: spread the instances with max_per`);
          return [];
      }
    });
  }

  #update(): HclItem[] {
    const strategy = objectOf(this.#app["upgradeStrategy"]);
    const [minimum, over] = [numberOf(strategy["minimumHealthCapacity"]), numberOf(strategy["maximumOverCapacity"])];
    if (minimum === undefined && over === undefined) return [];
    const items: HclItem[] = [
      { name: "min_healthy_percent", value: Math.round((minimum ?? 1) * 100) },
      { name: "surge_percent", value: Math.round((over ?? 1) * 100) },
    ];
    return [{ type: "update", items }];
  }

  #service(): HclItem[] {
    const checks = listOf(this.#app["healthChecks"]).flatMap((check, index) => this.#check(check, index));
    const first = this.#ports[0];
    if (!first && checks.length === 0) return [];
    return [{ type: "service", items: [...(first ? [{ name: "port", value: first.label }] : []), ...checks] }];
  }

  #check(check: Json, index: number): HclItem[] {
    const protocol = String(check["protocol"] ?? "HTTP").replace(/^MESOS_/, "");
    const seconds = (name: string, fallback: number): string =>
      durationText((numberOf(check[name]) ?? fallback) * 1000);
    const limit = numberOf(check["maxConsecutiveFailures"]) ?? 3;
    const common: HclItem[] = [
      { name: "interval", value: seconds("intervalSeconds", 60) },
      { name: "timeout", value: seconds("timeoutSeconds", 20) },
    ];
    const restart: HclItem = {
      type: "check_restart",
      items: [
        { name: "limit", value: limit },
        { name: "grace", value: seconds("gracePeriodSeconds", 300) },
      ],
    };
    const tail = limit > 0 ? [restart] : [];
    if (protocol === "COMMAND") {
      const command = String(objectOf(check["command"])["value"] ?? "");
      const script: HclItem[] = [
        { name: "type", value: "script" },
        { name: "command", value: "/bin/sh" },
        { name: "args", value: ["-c", command] },
      ];
      return [{ type: "check", items: [...script, ...common, ...tail] }];
    }
    const label = this.#ports[numberOf(check["portIndex"]) ?? 0]?.label;
    const fixed = numberOf(check["port"]);
    const port = fixed === undefined ? label : String(fixed);
    if (port === undefined || (protocol !== "TCP" && protocol !== "HTTP" && protocol !== "HTTPS")) {
      this.#lose(`healthChecks[${index}]`, port === undefined ? "the app has no such port" : `no check by ${protocol}`);
      return [];
    }
    const kind: HclItem[] = [{ name: "type", value: protocol === "TCP" ? "tcp" : "http" }];
    if (protocol !== "TCP") kind.push({ name: "path", value: String(check["path"] ?? "/") });
    if (protocol === "HTTPS") kind.push({ name: "protocol", value: "https" });
    return [{ type: "check", items: [...kind, { name: "port", value: port }, ...common, ...tail] }];
  }

  #task(): HclItem[] {
    const user = this.#app["user"];
    const grace = numberOf(this.#app["taskKillGracePeriodSeconds"]);
    return [
      { name: "driver", value: this.#hasImage ? "docker" : "process" },
      ...(typeof user === "string" ? [{ name: "user", value: user }] : []),
      ...(grace === undefined ? [] : [{ name: "kill_timeout", value: durationText(grace * 1000) }]),
      ...this.#environment(),
      { type: "config", items: this.#config() },
      { type: "resources", items: this.#resources() },
    ];
  }

  /** Programs written for Marathon find their ports in PORT, PORT0 and so on. */
  #environment(): HclItem[] {
    const env: Record<string, HclValue> = {};
    for (const [index, { label }] of this.#ports.entries()) {
      if (index === 0) env["PORT"] = `\${NOMAD_PORT_${label}}`;
      env[`PORT${index}`] = `\${NOMAD_PORT_${label}}`;
    }
    for (const [name, value] of Object.entries(objectOf(this.#app["env"]))) {
      if (isObject(value)) this.#lose(`env.${name}`, "secrets are not available in this release");
      else env[name] = String(value);
    }
    return Object.keys(env).length === 0 ? [] : [{ name: "env", value: env }];
  }

  #config(): HclItem[] {
    const args = textsOf(this.#app["args"]);
    const command = typeof this.#app["cmd"] === "string" ? this.#app["cmd"] : undefined;
    for (const name of ["privileged", "parameters"]) {
      const value = this.#docker[name];
      if (value && !(Array.isArray(value) && value.length === 0))
        this.#lose(`container.docker.${name}`, "has no counterpart");
    }
    if (listOf(this.#container["volumes"]).length > 0)
      this.#lose("container.volumes", "volumes are not available in this release");
    const items: HclItem[] = this.#hasImage ? [{ name: "image", value: String(this.#docker["image"]) }] : [];
    if (this.#docker["forcePullImage"] === true) items.push({ name: "force_pull", value: true });
    if (command !== undefined)
      return [...items, { name: "command", value: "/bin/sh" }, { name: "args", value: ["-c", command] }];
    const [program, ...rest] = args;
    if (this.#hasImage) return args.length > 0 ? [...items, { name: "args", value: args }] : items;
    return [...items, { name: "command", value: program ?? "" }, { name: "args", value: rest }];
  }

  #resources(): HclItem[] {
    const cpu = Math.max(1, Math.round((numberOf(this.#app["cpus"]) ?? 1) * 1000));
    const disk = numberOf(this.#app["disk"]) ?? 0;
    return [
      { name: "cpu", value: cpu },
      { name: "memory", value: Math.max(1, Math.round(numberOf(this.#app["mem"]) ?? 128)) },
      ...(disk > 0 ? [{ name: "disk", value: Math.round(disk) }] : []),
    ];
  }
}

function attributeOf(field: string): string {
  if (field === "hostname" || field === "@hostname") return "${node.unique.name}";
  if (field === "@region") return "${node.region}";
  if (field === "@zone") return "${node.datacenter}";
  return `\${meta.${field}}`;
}

const textMap = (json: Json): HclValue =>
  Object.fromEntries(Object.entries(json).map(([name, value]) => [name, String(value)]));
