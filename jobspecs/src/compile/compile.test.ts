// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { readdirSync, readFileSync } from "node:fs";
import { revocableCpu } from "@muster/foundation";
import fc from "fast-check";
import { expect, test } from "vitest";
import { renderDiagnostics } from "../diagnostics/render.ts";
import { groupNeed } from "../job/asks.ts";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { interpolate } from "../job/interpolate.ts";
import type { Job } from "../job/types.ts";
import { type CompileInputs, compileJob } from "./compile.ts";

const examples = new URL("../../examples/", import.meta.url);

/** A small job around text for the job, the group and the task. */
function aJob(parts: { top?: string; job?: string; group?: string; task?: string; config?: string } = {}): string {
  return `${parts.top ?? ""}
job "j" {
  ${parts.job ?? ""}
  group "g" {
    ${parts.group ?? ""}
    task "t" {
      driver = "raw_exec"
      ${parts.task ?? ""}
      config {
        command = "true"
        ${parts.config ?? ""}
      }
    }
  }
}
`;
}

function compiled(text: string, inputs: Partial<CompileInputs> = {}): Job {
  const { job, diagnostics } = compileJob({ file: "j.hcl", text, ...inputs });
  if (!job) throw new Error(renderDiagnostics(diagnostics));
  return job;
}

const errors = (text: string, inputs: Partial<CompileInputs> = {}): string[] =>
  compileJob({ file: "j.hcl", text, ...inputs }).diagnostics.map(
    (d) => `${d.line}:${d.column} ${d.severity} ${d.code}${d.hint === undefined ? "" : ` (${d.hint})`}`,
  );

const command = (job: Job): string[] => [...(job.groups[0]?.tasks[0]?.config.args ?? [])];

/** Value of one expression as the argument of a task. */
const resultOf = (expression: string, top = ""): string =>
  command(compiled(aJob({ top, config: `args = [jsonencode(${expression})]` })))[0] ?? "";

test.each(readdirSync(examples))("example %s compiles without a remark and survives the wire", (name) => {
  const { job, diagnostics } = compileJob({ file: name, text: readFileSync(new URL(name, examples), "utf8") });
  expect(diagnostics).toEqual([]);
  expect(job && decodeJob(canonicalJson(job))).toEqual(job);
});

test("the hello example is _http._hello._tcp with three instances", () => {
  const [group] = compiled(readFileSync(new URL("hello.hcl", examples), "utf8")).groups;
  expect(group?.count).toBe(3);
  expect(group?.services[0]).toMatchObject({ name: "hello", portLabel: "http", checks: [{ type: "http", path: "/" }] });
  expect(group?.tasks[0]?.resources.cpuMillis).toBe(10);
});

test("an absent block has Muster's defaults, a written one Nomad's", () => {
  const [absent] = compiled(aJob()).groups;
  expect(absent?.restart).toMatchObject({ firstDelayMs: 1000, factor: 2, maxDelayMs: 300_000 });
  expect(absent?.update.method).toEqual({ kind: "surge", minHealthyPercent: 100, surgePercent: 25 });
  const [written] = compiled(aJob({ group: "restart {}\nupdate {}" })).groups;
  expect(written?.restart).toMatchObject({ attempts: 2, intervalMs: 1_800_000, firstDelayMs: 15_000, factor: 1 });
  expect(written?.update).toMatchObject({ method: { kind: "batch", maxParallel: 1 }, autoRevert: false });
});

test("variables: default, environment, files in order, flags; the last one wins", () => {
  const text = aJob({ top: 'variable "v" {\n type = string\n default = "d"\n}', config: "args = [var.v]" });
  const inputs = {
    environment: { NOMAD_VAR_v: "e" },
    variableFiles: [
      { file: "1", text: 'v = "f1"\n' },
      { file: "2", text: 'v = "f2"\n' },
    ],
    variables: [{ name: "v", value: "flag" }],
  };
  expect(command(compiled(text))).toEqual(["d"]);
  expect(command(compiled(text, { environment: inputs.environment }))).toEqual(["e"]);
  expect(command(compiled(text, { ...inputs, variables: [] }))).toEqual(["f2"]);
  expect(command(compiled(text, inputs))).toEqual(["flag"]);
});

test("a variable of a wrong type, without a value, unknown or not valid is an error", () => {
  const top = `variable "n" {
  type = number
  validation {
    condition = var.n > 2
    error_message = "more than two"
  }
}`;
  const wrong = (value: string, name = "n") => errors(aJob({ top }), { variables: [{ name, value }] })[0];
  expect(errors(aJob({ top }))[0]).toContain("evaluate/no-value");
  expect(wrong('"x"')).toContain("evaluate/wrong-type");
  expect(wrong("1")).toContain("4:17 error evaluate/validation");
  expect(wrong("3", "m")).toContain('evaluate/unknown-variable (did you mean "n"?)');
  expect(wrong("3")).toBeUndefined();
});

test("locals refer to each other; a circle is reported with its path and place", () => {
  expect(resultOf("local.b", "locals {\n  b = local.a + 1\n  a = 1\n}")).toBe("2");
  const { diagnostics } = compileJob({
    file: "j.hcl",
    text: aJob({ top: "locals {\n  a = local.b\n  b = local.a\n}" }),
  });
  expect(
    renderDiagnostics(diagnostics),
  ).toBe(`j.hcl:3:7: error: locals refer to each other in a circle: local.a -> local.b -> local.a
     3 |   b = local.a
       |       ^~~~~~~
       j.hcl:2:3: "a" is declared here
`);
});

test("what is wrong is told with line, column and suggestion", () => {
  expect(errors(aJob({ group: "cout = 3" }))).toEqual(['5:5 error schema/unknown-attribute (did you mean "count"?)']);
  expect(errors(aJob({ group: "netwrk {}" }))).toEqual(['5:5 error schema/unknown-block (did you mean "network"?)']);
  expect(errors(aJob({ group: 'count = "many"' }))).toEqual(["5:13 error schema/wrong-type"]);
  const priorities = "write 1 to 100, or best-effort, batch, normal, production, system";
  for (const wrong of ["101", "0", '"urgent"', "1.5"])
    expect(errors(aJob({ job: `priority = ${wrong}` }))).toEqual([`3:14 error job/priority (${priorities})`]);
  expect(errors(aJob({ job: 'priority = "system"' }))).toEqual([]);
  expect(errors(aJob({ job: "namespace = ns" }))).toEqual([
    '3:15 error evaluate/unknown-name (did you mean "ns" in quotes?)',
  ]);
  expect(errors(aJob({ task: "csi_plugin {}" }))).toEqual(["8:7 error schema/refused"]);
  expect(errors(aJob({ job: "ui {}" }))).toEqual(["3:3 warning schema/ignored"]);
  expect(errors("# nothing\n")).toEqual(['2:1 error job/no-job (add job "name" { })']);
});

test("a service's port must be one of the group's", () => {
  const group = 'network {\n port "http" {}\n }\n service {\n port = "htpp"\n }';
  expect(errors(aJob({ group }))).toEqual(['9:9 error job/unknown-port (did you mean "http"?)']);
});

test.each([
  ['cron = "0 4 * * *"', []],
  ['crons = ["@daily", "*/5 1-3 * jan,feb mon-fri"]', []],
  ['interval = "R5/2026-01-01T00:00:00Z/P1DT2H"', []],
  ['cron = "0 24 * * *"', ["5:11 error job/bad-cron"]],
  ['interval = "R/2026-02-30T00:00:00Z/PT2S"', ["5:15 error job/bad-interval"]],
  ['interval = "R//PT"', ["5:16 error job/bad-interval"]],
  ['cron = "@daily"\ninterval = "R//PT2S"', ["6:12 error job/periodic-one"]],
  [
    'cron = "@daily"\ntime_zone = "Mars/Olympus"',
    ['6:13 error job/bad-time-zone (use an IANA name such as "Europe/Berlin")'],
  ],
])("periodic { %s }", (inside, expected) => {
  expect(errors(aJob({ job: `type = "batch"\nperiodic {\n${inside}\n}` }))).toEqual(expected);
});

test("dynamic blocks are expanded before decoding", () => {
  const text = `job "j" {
  dynamic "group" {
    for_each = { a = 1, b = 2 }
    labels = ["g-\${group.key}"]
    content {
      count = group.value
      task "t" {
        driver = "process"
        config { command = "true" }
      }
    }
  }
}
`;
  expect(compiled(text).groups.map((group) => [group.name, group.count])).toEqual([
    ["g-a", 1],
    ["g-b", 2],
  ]);
});

test("constraints: synonyms and short forms arrive as one shape", () => {
  const group = `constraint {
  attribute = "\${attr.kernel.name}"
  operator = "is"
  value = "linux"
}
constraint { distinct_hosts = true }
constraint { distinct_property = "\${meta.rack}" }
constraint {
  attribute = "\${meta.rack}"
  operator = "max_per"
  value = "2"
}
constraint {
  attribute = "\${meta.rack}"
  operator = "cluster"
}
constraint {
  attribute = "\${meta.rack}"
  operator = "unlike"
  value = "a.*"
}`;
  expect(compiled(aJob({ group })).groups[0]?.constraints).toEqual([
    { attribute: "${attr.kernel.name}", operator: "=", value: "linux" },
    { attribute: "", operator: "distinct_hosts", value: "true" },
    { attribute: "${meta.rack}", operator: "distinct_property", value: "1" },
    { attribute: "${meta.rack}", operator: "distinct_property", value: "2" },
    { attribute: "${meta.rack}", operator: "cluster", value: "" },
    { attribute: "${meta.rack}", operator: "unlike", value: "a.*" },
  ]);
});

test("runtime references stay, literal look-alikes come back from interpolate, foreign code is untouched", () => {
  const config =
    'args = ["${NOMAD_PORT_http}", "$${NOMAD_PORT_http}", "`$${x}`", "a ${node.class}", upper("${var.x}")]';
  const args = command(compiled(aJob({ top: 'variables { x = "v" }', config })));
  expect(args).toEqual(["${NOMAD_PORT_http}", "$${NOMAD_PORT_http}", "`${x}`", "a ${node.class}", "V"]);
  const known = new Map([
    ["NOMAD_PORT_http", "80"],
    ["node.class", "big"],
  ]);
  expect(args.map((text) => interpolate(text, (name) => known.get(name)))).toEqual([
    "80",
    "${NOMAD_PORT_http}",
    "`${x}`",
    "a big",
    "V",
  ]);
});

test("any literal text comes through the language and interpolate unchanged", () => {
  const text = fc.string({
    unit: fc.constantFrom("$", "{", "}", "%", "N", "NOMAD_X", "node.a", '"', "\\", "\n", "é", " "),
  });
  fc.assert(
    fc.property(text, (literal) => {
      // Blanks before a name do not make it another: this one was read as a reference once.
      const quoted = JSON.stringify(literal)
        .replaceAll("${", () => "$${")
        .replaceAll("%{", () => "%%{");
      const args = command(compiled(aJob({ config: `args = [${quoted}]` })));
      expect(interpolate(args[0] ?? "", () => "changed")).toBe(literal);
    }),
    { examples: [["${\nNOMAD_X}"], ["${${NOMAD_X"]] },
  );
});

test("printed values are read back as they were", () => {
  const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.stringMatching(/^[ -~é\n]{0,8}$/));
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[a-z ]{0,5}$/), tie("value"), { maxKeys: 4 }),
    ),
  }));
  // As an author would write it: a sign before a brace is doubled.
  const print = (json: unknown): string =>
    JSON.stringify(json)
      .replaceAll("${", () => "$${")
      .replaceAll("%{", () => "%%{");
  fc.assert(
    fc.property(value, (json) => {
      expect(JSON.parse(interpolate(resultOf(print(json)), () => "changed"))).toEqual(JSON.parse(JSON.stringify(json)));
    }),
  );
});

test.each([
  ["1 + 2 * 3 - 4 / 2", "5"],
  ["0.1 + 0.2", "0.3"],
  ['true ? "a" : 1', '"a"'],
  ['[for k, v in { b = 2, a = 1 } : "${k}${v}" if v > 1]', '["b2"]'],
  ['{ for v in ["a", "b", "a"] : v => 1... }', '{"a":[1,1],"b":[1]}'],
  ["[{ n = 1 }, { n = 2 }][*].n", "[1,2]"],
  ['format("%s-%03d %5.2f", "a", 7, 1.5)', '"a-007  1.50"'],
  ['join(",", sort(["b", "a"]))', '"a,b"'],
  ['cidrsubnet("10.0.0.0/8", 8, 3)', '"10.3.0.0/16"'],
  ['cidrhost("2001:db8::/32", 5)', '"2001:db8::5"'],
  ['cidrnetmask("10.0.0.0/12")', '"255.240.0.0"'],
  ['uuidv5("dns", "example.com")', '"cfbff0d1-9375-5685-968c-48ce8b15ae17"'],
  ['md5("a")', '"0cc175b9c0f1b6a831c399e269772661"'],
  ['try(local.nothing, "x")', '"x"'],
  ["can(1 / 0)", "false"],
  ['convert("1", number)', "1"],
  ['formatdate("YYYY-MM-DD\'T\'hh:mm", timeadd("2026-01-31T23:30:00Z", "1h"))', '"2026-02-01T00:30"'],
  ['csvdecode("a,b\\n1,\\"x,y\\"\\n")', '[{"a":"1","b":"x,y"}]'],
  ['regex_replace("abc", "b(.)", "[$${1}]")', '"a[c]"'],
  ["range(3)", "[0,1,2]"],
  ['substr("héllo", 1, 3)', '"éll"'],
  ['"%{ for x in ["a", "b"] ~} ${x} %{~ endfor }"', '"ab"'],
  ['"%{ if 1 < 2 }yes%{ else }no%{ endif }"', '"yes"'],
  ["merge({ a = 1 }, { a = 2, b = 3 })", '{"a":2,"b":3}'],
  ["setproduct([1, 2], [3])", "[[1,3],[2,3]]"],
])("%s is %s", (expression, expected) => {
  expect(resultOf(expression)).toBe(expected);
});

test("an indented heredoc loses its common indentation; lines of blanks do not count", () => {
  const config = "args = [<<-EOT\n      a\n  \n        b\n      EOT\n]";
  expect(command(compiled(aJob({ config })))).toEqual(["a\n  \n  b\n"]);
});

test("a runtime value can't be computed with, and the place says so", () => {
  expect(errors(aJob({ config: 'args = ["${NOMAD_PORT_http + 1}"]' }))).toEqual(["11:20 error evaluate/runtime"]);
});

test("files are read only through the reader that the caller gives", () => {
  const text = aJob({ config: 'args = [file("a.txt")]' });
  expect(errors(text)[0]).toContain("evaluate/function");
  const files = {
    read: (path: string) => `text of ${path}`,
    readBase64: () => "",
    exists: () => true,
    absolute: (path: string) => path,
    home: () => "/",
    list: () => [],
  };
  expect(command(compiled(text, { files }))).toEqual(["text of a.txt"]);
});

test("cut and shuffled jobs give diagnostics, never an exception", () => {
  const whole = readFileSync(new URL("hello.hcl", examples), "utf8");
  fc.assert(
    fc.property(
      fc.nat(whole.length),
      fc.nat(40),
      fc.constantFrom("", "${x}", '"', "{", "[", "null", "var.a", "*"),
      (at, cut, put) => {
        const text = whole.slice(0, at) + put + whole.slice(at + cut);
        const { job, diagnostics } = compileJob({ file: "x", text });
        expect(job !== undefined || diagnostics.some((d) => d.severity === "error")).toBe(true);
        if (job) expect(decodeJob(canonicalJson(job))).toEqual(job);
        expect(renderDiagnostics(diagnostics)).not.toContain("undefined");
      },
    ),
    { numRuns: 300 },
  );
});

test("driver exec takes the settings of containers, driver process refuses them", () => {
  const text = (driver: string): string => `job "j" {
  task "t" {
    driver = "${driver}"
    config {
      command    = "true"
      work_dir   = "/local"
      cap_drop   = ["all"]
      pids_limit = 7
    }
    resources {
      memory     = 32
      memory_max = 64
      cpu_max    = 200
      io_max     = 20
    }
  }
}
`;
  const task = compiled(text("exec")).groups[0]?.tasks[0];
  expect(task).toMatchObject({
    driver: "exec",
    config: { command: "true", container: { workDir: "/local", capDrop: ["all"], pidsLimit: 7 } },
    resources: { memoryMiB: 32, memoryMiBMax: 64, cpuMillisMax: 200, ioMiBPerSecondMax: 20 },
  });
  expect(errors(text("raw_exec"))).toEqual([
    '6:20 error job/not-of-driver (driver = "exec")',
    '7:20 error job/not-of-driver (driver = "exec")',
    '8:20 error job/not-of-driver (driver = "exec")',
    ...[13, 12, 14].map(
      (line) => `${line}:20 warning job/bound-not-kept (use driver = "exec", which runs it in a container)`,
    ),
  ]);
});

test("limits of a network are those of mode bridge; each is optional", () => {
  const text = (mode: string): string => `job "j" {
  group "g" {
    network {
      mode = "${mode}"
      limits {
        down_mbit   = 100
        connections = 1000
      }
    }
    task "t" {
      driver = "exec"
      config {
        command = "true"
      }
    }
  }
}
`;
  const { network } = compiled(text("bridge")).groups[0] ?? {};
  expect(network).toEqual({ mode: "bridge", limits: { downMbit: 100, connections: 1_000 }, ports: [] });
  expect(errors(text("host"))).toEqual(['5:7 error job/network-limits (use mode = "bridge")']);
});

test("another driver's config is not looked into: the driver is the one error", () => {
  const text = 'job "j" {\n task "t" {\n driver = "podman"\n config { image = "redis" }\n }\n}\n';
  expect(errors(text)).toEqual(['3:11 error job/driver (use driver = "oci", "exec" or "process")']);
});

test.each([
  ["operators", `x = 1${" + 1".repeat(20_000)}`],
  ["accesses", `x = local.y${".z".repeat(20_000)}\ny = 1`],
  [
    "locals",
    Array.from({ length: 10_000 }, (_, at) => `l${at} = [local.l${at + 1}]`)
      .join("\n")
      .concat("\nl10000 = 1"),
  ],
  [
    "doubled texts",
    Array.from({ length: 40 }, (_, at) => `l${at + 1} = "\${local.l${at}}\${local.l${at}}"`)
      .join("\n")
      .concat('\nl0 = "ab"'),
  ],
  [
    "doubled lists",
    Array.from({ length: 40 }, (_, at) => `l${at + 1} = concat(local.l${at}, local.l${at})`)
      .join("\n")
      .concat("\nl0 = [1, 2]"),
  ],
])("a value too large by its %s is a diagnostic, not a crash", (_, locals) => {
  const { job, diagnostics } = compileJob({ file: "x", text: aJob({ top: `locals {\n${locals}\n}` }) });
  if (!job) expect(diagnostics[0]?.code).toMatch(/^evaluate\/(too-deep|too-long|too-much|no-member)$/);
});

/** A check in a service of the group, with the lines of every check. */
const withCheck = (check: string, service = 'port = "http"') =>
  aJob({
    group: `network {
  port "http" {}
}
service {
  ${service}
  check {
    interval = "10s"
    timeout = "2s"
    ${check}
  }
}`,
  });

test("grpc and script checks come through with what they ask, and survive the wire", () => {
  const grpc = compiled(
    withCheck('type = "grpc"\ngrpc_service = "shop.Cart"\ngrpc_use_tls = true\ntls_skip_verify = true'),
  );
  expect(grpc.groups[0]?.services[0]?.checks[0]).toMatchObject({
    type: "grpc",
    name: "grpc check",
    service: "shop.Cart",
    tls: true,
    tlsSkipVerify: true,
    tlsServerName: "",
  });
  const script = compiled(
    withCheck('type = "script"\ntask = "t"\ncommand = "/bin/check"\nargs = ["--port", "${NOMAD_PORT_http}"]', ""),
  );
  expect(script.groups[0]?.services[0]?.checks[0]).toMatchObject({
    type: "script",
    task: "t",
    command: "/bin/check",
    args: ["--port", "${NOMAD_PORT_http}"],
  });
  for (const job of [grpc, script]) expect(decodeJob(canonicalJson(job))).toEqual(job);
});

test("a check that lacks what it asks by is an error, one that says too much a warning", () => {
  expect(errors(withCheck('type = "script"'))).toEqual(["10:3 error job/check-command"]);
  expect(errors(withCheck('type = "grpc"', ""))).toEqual(["10:3 error job/check-port"]);
  expect(errors(withCheck('type = "script"\ncommand = "true"\ntask = "u"'))[0]).toContain("error job/unknown-task");
  expect(errors(withCheck('type = "script"\ncommand = "true"\npath = "/"\nport = "http"'))).toEqual([
    "15:8 warning job/check-attribute",
    "16:8 warning job/check-attribute",
  ]);
});

test("an overlay network is named, and its ports are the group's own", () => {
  const group = 'network {\n mode = "overlay/blue"\n port "http" {\n static = 80\n }\n }';
  const job = compiled(aJob({ group }));
  expect(job.groups[0]?.network).toEqual({ mode: "overlay/blue", ports: [{ label: "http", static: 80 }] });
  expect(decodeJob(canonicalJson(job)).groups[0]?.network.mode).toBe("overlay/blue");
  const { diagnostics } = compileJob({
    file: "j.hcl",
    text: aJob({ group: 'network {\n mode = "overlay/Blue_1"\n }' }),
  });
  expect(renderDiagnostics(diagnostics)).toContain('network mode "overlay/Blue_1" is not available');
});

test("several network blocks are several networks; ports go with theirs, and survive the wire", () => {
  const group = `network {
  mode = "bridge"
  port "http" { static = 80 }
}
network {
  mode = "overlay/blue"
  port "own" { static = 80 }
}
network { mode = "cni/storage" }
service { port = "own" }`;
  const job = compiled(aJob({ group }));
  const network = {
    mode: "bridge",
    ports: [
      { label: "http", static: 80 },
      { label: "own", static: 80, network: 1 },
    ],
    more: [{ mode: "overlay/blue" }, { mode: "cni/storage" }],
  };
  expect(job.groups[0]?.network).toEqual(network);
  expect(decodeJob(canonicalJson(job)).groups[0]?.network).toEqual(network);
});

test.each([
  ['network {}\nnetwork { mode = "bridge" }', "5:5 error job/networks"],
  ['network { mode = "bridge" }\nnetwork { mode = "bridge" }', "6:18 error job/networks"],
  ['network { mode = "bridge" }\nnetwork { mode = "none" }', "6:18 error job/networks"],
  [
    'network { mode = "bridge" }\nnetwork {\n mode = "cni/a"\n hostname = "x"\n}',
    "8:13 error job/networks (write it in the first network block)",
  ],
  [
    'network { mode = "bridge" }\nnetwork {\n mode = "cni/a"\n dns {}\n}',
    "8:2 error job/networks (write dns in the first network block)",
  ],
  [
    `network { mode = "bridge" }\n${Array.from({ length: 8 }, (_, n) => `network { mode = "cni/n${n}" }`).join("\n")}`,
    "13:1 error job/networks",
  ],
])("networks that can't be together are refused where they stand: %s", (group, error) => {
  expect(errors(aJob({ group }))).toEqual([error]);
});

test("a task may have a network of its own or another task's, which survives the wire; others are refused", () => {
  const task = (name: string, mode: string): string =>
    `task "${name}" {\n driver = "process"\n network {\n  mode = "${mode}"\n }\n config {\n  command = "true"\n }\n}`;
  const text = (...modes: string[]): string =>
    `job "j" {\n group "g" {\n${modes.map((mode, at) => task(`t${at}`, mode)).join("\n")}\n }\n}`;
  const job = compiled(text("none", "container:t0"));
  const networks = (from: Job) => from.groups[0]?.tasks.map(({ network }) => network?.mode);
  expect(networks(job)).toEqual(["none", "container:t0"]);
  expect(networks(decodeJob(canonicalJson(job)))).toEqual(["none", "container:t0"]);
  expect(errors(text("container:t1", "container:t0")).map((line) => line.replace(/^\S+ /, ""))).toEqual([
    "error job/task-network",
    "error job/task-network",
  ]);
  expect(errors(text("container:web"))[0]).toContain("error job/task-network");
  expect(errors(text("bridge"))[0]).toContain("error job/network-mode");
});

test("the network of a task's resources is taken as the group's, with a warning", () => {
  const resources =
    'resources {\n network {\n mbits = 10\n port "http" {\n static = 8080\n }\n }\n }\n service {\n port = "http"\n }';
  expect(errors(aJob({ task: resources }))).toEqual([
    "9:2 warning job/old-network (move it out of resources, into the group)",
  ]);
  const group = compiled(aJob({ task: resources })).groups[0];
  expect(group?.network).toEqual({ mode: "host", ports: [{ label: "http", static: 8080 }] });
  expect(group?.tasks[0]?.services[0]?.portLabel).toBe("http");
  expect(errors(aJob({ task: resources, group: "network {}" }))[0]).toContain("error job/old-network");
});

test("what becomes of instances that are cut off is said in a block, or as older files say it, and survives the wire", () => {
  const of = (group: string) => {
    const job = compiled(aJob({ group }));
    expect(decodeJob(canonicalJson(job)).groups[0]?.disconnect).toEqual(job.groups[0]?.disconnect);
    return job.groups[0]?.disconnect;
  };
  expect(of("")).toBeUndefined();
  expect(of("disconnect {}")).toEqual({ replace: true, reconcile: "best_score" });
  expect(of('disconnect {\n lost_after = "2m"\n replace = false\n reconcile = "keep_original"\n }')).toEqual({
    lostAfterMs: 120_000,
    replace: false,
    reconcile: "keep_original",
  });
  expect(of('max_client_disconnect = "1h"')).toEqual({
    lostAfterMs: 3_600_000,
    replace: true,
    reconcile: "best_score",
  });
  expect(of('stop_after_client_disconnect = "1m"\n prevent_reschedule_on_lost = true')).toEqual({
    stopOnClientAfterMs: 60_000,
    replace: false,
    reconcile: "best_score",
  });
  const both = 'disconnect {\n lost_after = "1m"\n stop_on_client_after = "1m"\n }';
  expect(errors(aJob({ group: both }))[0]).toContain("error job/disconnect");
  expect(errors(aJob({ group: 'max_client_disconnect = "1m"\n disconnect {}' }))[0]).toContain("error job/disconnect");
});

test("cron texts may begin with seconds; a field too many is told", () => {
  const periodic = (text: string): string =>
    `job "j" {\n type = "batch"\n periodic {\n  cron = "${text}"\n }\n task "t" {\n driver = "process"\n config {\n command = "true"\n }\n }\n}`;
  expect(errors(periodic("*/10 * * * * *"))).toEqual([]);
  expect(errors(periodic("61 * * * * *"))[0]).toContain("error job/bad-cron");
  expect(errors(periodic("* * * * * * *"))[0]).toContain("error job/bad-cron");
});

test("max_parallel = 0 replaces all at once, and memory_max = -1 is no bound; both survive the wire", () => {
  const job = compiled(
    aJob({ group: "update {\n max_parallel = 0\n }", task: "resources {\n memory = 64\n memory_max = -1\n }" }),
  );
  const [group] = decodeJob(canonicalJson(job)).groups;
  expect(group?.update.method).toEqual({ kind: "batch", maxParallel: 0 });
  expect(group?.tasks[0]?.resources.memoryMiBMax).toBe(1_000_000_000);
  const none = compiled(aJob({ task: "resources {\n memory = 64\n memory_max = 0\n }" }));
  expect(none.groups[0]?.tasks[0]?.resources.memoryMiBMax).toBeUndefined();
});

test("what is revocable takes its processor of what agents lend", () => {
  const job = compiled(aJob({ task: "resources {\n cpu = 250\n memory = 64\n revocable = true\n }" }));
  const [group] = decodeJob(canonicalJson(job)).groups;
  expect(group && groupNeed(job, group).resources).toMatchObject({
    cpuMillis: 0,
    memoryMiB: 64,
    custom: { [revocableCpu]: 250 },
  });
});

const batchJob = { job: 'type = "batch"' };

test("a parameterized job says what a dispatch brings, and a task where it finds the payload", () => {
  const job = compiled(
    aJob({
      job: `type = "batch"
  parameterized {
    payload       = "required"
    meta_required = ["day"]
    meta_optional = ["level"]
  }`,
      task: 'dispatch_payload {\n file = "in/rows.csv"\n }',
    }),
  );
  expect(job.parameterized).toEqual({ payload: "required", metaRequired: ["day"], metaOptional: ["level"] });
  expect(job.groups[0]?.tasks[0]?.dispatchPayload).toEqual({ file: "in/rows.csv" });
  expect(decodeJob(canonicalJson(job))).toEqual(job);
  const bare = compiled(aJob({ job: `type = "batch"\n parameterized {\n }` }));
  expect(bare.parameterized).toEqual({ payload: "optional", metaRequired: [], metaOptional: [] });
});

test.each([
  ["parameterized {\n }", "", "job/parameterized-type"],
  ['type = "batch"\n periodic {\n cron = "@daily"\n }\n parameterized {\n }', "", "job/parameterized-periodic"],
  ['type = "batch"\n parameterized {\n meta_required = ["a", "a"]\n }', "", "job/parameterized-meta"],
  ['type = "batch"\n parameterized {\n meta_required = ["a"]\n meta_optional = ["a"]\n }', "", "job/dispatch-payload"],
  [batchJob.job, 'dispatch_payload {\n file = "a"\n }', "job/dispatch-payload"],
  [
    'type = "batch"\n parameterized {\n payload = "forbidden"\n }',
    'dispatch_payload {\n file = "a"\n }',
    "job/dispatch-payload",
  ],
  ['type = "batch"\n parameterized {\n }', 'dispatch_payload {\n file = "../a"\n }', "job/dispatch-payload"],
  ['type = "batch"\n parameterized {\n }', 'dispatch_payload {\n file = "/a"\n }', "job/dispatch-payload"],
])("a job that can't be dispatched so is refused: %j %j", (job, task, code) => {
  expect(errors(aJob({ job, task })).some((error) => error.includes(code))).toBe(true);
});
