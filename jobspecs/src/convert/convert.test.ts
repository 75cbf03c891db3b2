// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { formatSource } from "../format/format.ts";
import { convertDocument, originOf } from "./convert.ts";
import { durationText } from "./duration.ts";
import { printHcl } from "./print.ts";

function convert(document: unknown) {
  const origin = originOf(document);
  if (!origin) throw new Error("of nobody");
  return convertDocument(document, origin).map((job) => {
    const compiled = compileJob({ file: `${job.id}.hcl`, text: job.text });
    expect(compiled.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(formatSource(job.text)).toBe(job.text);
    return { ...job, job: compiled.job };
  });
}

/** As `GET /v1/job/web` answers, with what the server fills in. */
const nomadJob = {
  Stop: false,
  Region: "global",
  Namespace: "default",
  ID: "web",
  ParentID: "",
  Name: "web",
  Type: "service",
  Priority: 70,
  AllAtOnce: false,
  Datacenters: ["dc1"],
  NodePool: "default",
  Constraints: [{ LTarget: "${attr.kernel.name}", RTarget: "linux", Operand: "=" }],
  Affinities: null,
  Spreads: null,
  TaskGroups: [
    {
      Name: "g",
      Count: 2,
      Update: {
        Stagger: 30_000_000_000,
        MaxParallel: 1,
        HealthCheck: "checks",
        MinHealthyTime: 10_000_000_000,
        AutoRevert: true,
      },
      RestartPolicy: {
        Attempts: 2,
        Interval: 1_800_000_000_000,
        Delay: 15_000_000_000,
        Mode: "fail",
        RenderTemplates: false,
      },
      Networks: [
        {
          Mode: "bridge",
          Device: "",
          CIDR: "",
          IP: "",
          MBits: 0,
          DNS: null,
          ReservedPorts: [{ Label: "admin", Value: 9000, To: 0, HostNetwork: "default" }],
          DynamicPorts: [{ Label: "http", Value: 0, To: 8080, HostNetwork: "default" }],
        },
      ],
      Services: [
        {
          Name: "web-${NOMAD_GROUP_NAME}",
          PortLabel: "http",
          AddressMode: "auto",
          Provider: "nomad",
          Tags: ["a"],
          Checks: [
            {
              Name: "alive",
              Type: "http",
              Path: "/",
              Interval: 10_000_000_000,
              Timeout: 2_000_000_000,
              TLSSkipVerify: false,
              Header: { Host: ["x"] },
              CheckRestart: { Limit: 3, Grace: 90_000_000_000, IgnoreWarnings: false },
            },
          ],
          Connect: { SidecarService: {} },
        },
      ],
      Tasks: [
        {
          Name: "t",
          Driver: "docker",
          User: "",
          Config: {
            image: "nginx:1.25",
            args: ["-g", "daemon off;", "${NOMAD_PORT_http}", "${OTHER} %{x}"],
            auth: [{ username: "u", password: "p" }],
          },
          Env: { A: 'quote " and \\ and \n line', "b-c": "x" },
          Resources: {
            CPU: 250,
            Cores: 0,
            MemoryMB: 128,
            MemoryMaxMB: 0,
            DiskMB: 0,
            IOPS: 0,
            Networks: null,
            Devices: null,
          },
          KillTimeout: 5_500_000_000,
          LogConfig: { MaxFiles: 3, MaxFileSizeMB: 5, Disabled: false },
          Templates: [
            {
              EmbeddedTmpl: '{{ env "A" }}',
              SourcePath: "",
              DestPath: "local/x",
              ChangeMode: "signal",
              ChangeSignal: "SIGHUP",
              Splay: 5_000_000_000,
              Perms: "0600",
              Uid: -1,
              LeftDelim: "{{",
              RightDelim: "}}",
              Envvars: false,
              ErrMissingKey: true,
              Wait: { Min: 1_000_000_000, Max: 2_000_000_000 },
            },
          ],
          Leader: false,
          Novelty: 7,
        },
      ],
    },
  ],
  Meta: { owner: "me" },
  Status: "running",
  Version: 3,
};

test("a job of Nomad's API becomes a job file that means the same, with a list of what it has not", () => {
  const [made] = convert({ Job: nomadJob });
  const group = made?.job?.groups[0];
  expect(made?.job).toMatchObject({ id: "web", priority: 70, datacenters: ["dc1"], meta: { owner: "me" } });
  expect(group).toMatchObject({
    count: 2,
    restart: { attempts: 2, intervalMs: 1_800_000, firstDelayMs: 15_000 },
    update: { method: { kind: "batch", maxParallel: 1 }, autoRevert: true },
    network: { mode: "bridge" },
  });
  expect(group?.network.ports).toEqual(
    expect.arrayContaining([
      { label: "http", to: 8080 },
      { label: "admin", static: 9000 },
    ]),
  );
  expect(group?.services[0]).toMatchObject({ name: "web-${NOMAD_GROUP_NAME}", portLabel: "http", tags: ["a"] });
  expect(group?.services[0]?.checks[0]).toMatchObject({
    intervalMs: 10_000,
    checkRestart: { limit: 3, graceMs: 90_000 },
  });
  expect(group?.tasks[0]).toMatchObject({
    env: { A: 'quote " and \\ and \n line', "b-c": "x" },
    killTimeoutMs: 5500,
    logs: { fileCount: 3, fileSizeMiB: 5 },
    resources: { cpuMillis: 250, memoryMiB: 128 },
  });
  expect(group?.tasks[0]?.templates).toEqual([
    {
      text: '{{ env "A" }}',
      destination: "local/x",
      change: "signal",
      signal: "SIGHUP",
      splayMs: 5_000,
      mode: 0o600,
      delimiters: { left: "{{", right: "}}" },
      settle: { minMs: 1_000, maxMs: 2_000 },
      failsOnMissingKey: true,
    },
  ]);
  expect(group?.tasks[0]?.config.args).toEqual(["-g", "daemon off;", "${NOMAD_PORT_http}", "${OTHER} %{x}"]);
  expect(made?.losses.map(({ path }) => path)).toEqual([
    "TaskGroups[0].Services[0].Connect",
    "TaskGroups[0].Tasks[0].Novelty",
  ]);
});

const app = {
  id: "/shop/cart",
  cmd: "exec ./serve --port $PORT0 ${HOME}",
  cpus: 0.25,
  mem: 64,
  instances: 3,
  portDefinitions: [{ port: 0, name: "http", protocol: "tcp" }],
  env: { MODE: "live", KEY: { secret: "key" } },
  labels: { team: "a" },
  constraints: [
    ["hostname", "UNIQUE"],
    ["rack", "LIKE", "r[12]"],
    ["zone", "GROUP_BY"],
  ],
  healthChecks: [
    {
      protocol: "MESOS_HTTP",
      path: "/health",
      portIndex: 0,
      gracePeriodSeconds: 30,
      intervalSeconds: 10,
      timeoutSeconds: 5,
      maxConsecutiveFailures: 3,
    },
  ],
  upgradeStrategy: { minimumHealthCapacity: 0.5, maximumOverCapacity: 0.2 },
  fetch: [{ uri: "http://x/y.tgz" }],
  taskKillGracePeriodSeconds: 30,
};

test("a Marathon app becomes a job of one group", () => {
  const [made] = convert(app);
  const group = made?.job?.groups[0];
  expect(made?.id).toBe("shop-cart");
  expect(group).toMatchObject({
    count: 3,
    update: { method: { kind: "surge", minHealthyPercent: 50, surgePercent: 20 } },
  });
  expect(group?.constraints).toEqual([
    { attribute: "${node.unique.name}", operator: "distinct_property", value: "1" },
    { attribute: "${meta.rack}", operator: "like", value: "r[12]" },
  ]);
  expect(group?.services[0]?.checks[0]).toMatchObject({
    type: "http",
    path: "/health",
    intervalMs: 10_000,
    checkRestart: { limit: 3, graceMs: 30_000 },
  });
  expect(group?.tasks[0]).toMatchObject({
    driver: "process",
    config: { command: "/bin/sh", args: ["-c", "exec ./serve --port $PORT0 ${HOME}"] },
    env: { PORT: "${NOMAD_PORT_http}", PORT0: "${NOMAD_PORT_http}", MODE: "live" },
    resources: { cpuMillis: 250, memoryMiB: 64 },
    killTimeoutMs: 30_000,
  });
  expect(made?.losses.map(({ path }) => path).sort()).toEqual([
    "/shop/cart.constraints",
    "/shop/cart.env.KEY",
    "/shop/cart.fetch",
  ]);
});

test("a Marathon group becomes a job for each app, in containers as they were", () => {
  const made = convert({
    id: "/shop",
    groups: [
      {
        id: "data",
        apps: [
          {
            id: "db",
            args: ["--x"],
            container: {
              type: "DOCKER",
              docker: { image: "pg:16", forcePullImage: true },
              portMappings: [{ containerPort: 5432, hostPort: 0, name: "pg" }],
            },
            networks: [{ mode: "container/bridge" }],
            healthChecks: [{ protocol: "COMMAND", command: { value: "pg_isready" } }],
          },
        ],
      },
    ],
    apps: [app],
    dependencies: ["/base"],
  });
  expect(made.map(({ id }) => id)).toEqual(["shop-cart", "shop-data-db"]);
  const group = made[1]?.job?.groups[0];
  expect(group?.network).toMatchObject({ mode: "bridge", ports: [{ label: "pg", to: 5432 }] });
  expect(group?.tasks[0]?.config).toMatchObject({ args: ["--x"], image: { name: "pg:16", forcePull: true } });
  expect(group?.services[0]?.checks[0]).toMatchObject({ type: "script", args: ["-c", "pg_isready"] });
});

test("what is nobody's is not guessed at", () => {
  for (const document of [{}, [], "x", null, { id: "a" }, { job: { x: {} } }])
    expect(originOf(document)).toBeUndefined();
});

test.each([
  [0, "0s"],
  [250, "250ms"],
  [90_000, "1m30s"],
  [5_400_000, "1h30m"],
])("%i ms is %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test("texts of several lines become heredocs whose marker they do not hold", () => {
  const text = "a ${x}\nEOT\n  b %{ if }\n";
  const printed = printHcl([{ name: "x", value: text }]);
  expect(printed).toContain("<<EOTT\n");
  expect(printed).toContain("$${x}");
});
