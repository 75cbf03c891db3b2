import { expect, test } from "vitest";
import { chosenFor, instanceStruct, type ServiceInstance, type TemplateData } from "./data.ts";
import { missingText, type RenderOptions, renderTemplate } from "./evaluate.ts";
import { faultText, TemplateFault } from "./fault.ts";
import { refusedFunctions } from "./function-shapes.ts";
import { templateDepthMax, templateLengthMax } from "./limits.ts";
import { parseTemplate } from "./parse.ts";
import type { Delimiters } from "./scan.ts";

function instance(taskId: string, address: string, port: number, tags: string[] = []): ServiceInstance {
  const place = { agentId: "a-1", agentName: "one", agentIp: "10.0.0.1", jobName: "db" };
  return { taskId, address, port, tags, meta: { zone: "north" }, ...place };
}

const keys: Readonly<Record<string, string>> = {
  "app/color": "blue",
  "app/limits/cpu": "4",
  "app/size": "12",
  json: '{"a":{"b":[1,2]},"name":"x"}',
};

const data: TemplateData = {
  environment: { HOME: "/home/me", EMPTY: "" },
  meta: { owner: "ann" },
  secret: (name, key) => (name === "db" && key === "value" ? "s3cret" : undefined),
  service: (name) =>
    ({ db: [instance("t-1", "10.0.0.1", 5432, ["primary"]), instance("t-2", "10.0.0.2", 5433)], none: [] })[name],
  services: () => [
    { name: "db", tags: ["primary"] },
    { name: "web", tags: [] },
  ],
  key: (path) => (path === "unheard" ? undefined : { value: keys[path] }),
  keys: (folder) =>
    folder === "unheard"
      ? undefined
      : Object.entries(keys).filter(([path]) => folder === "" || path.startsWith(`${folder}/`)),
  nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

function render(text: string, options?: RenderOptions, delimiters?: Delimiters): string | undefined {
  return renderTemplate(parseTemplate(text, delimiters), data, options).text;
}

/** Why a template is refused, when it is read or when it is evaluated. */
function why(text: string, options?: RenderOptions): string {
  try {
    render(text, options);
  } catch (error) {
    if (error instanceof TemplateFault) return faultText(error, text);
    throw error;
  }
  return "nothing is wrong";
}

test.each([
  ["plain text stays", "a { b }\n", "a { b }\n"],
  ["comments vanish, and trim", "a {{- /* c }} */ -}} b", "ab"],
  ["dashes trim white space, with its lines", "a\n  {{- 1 -}}  \n b", "a1b"],
  ["a dash that belongs to a number trims nothing", "a {{-1}}", "a -1"],
  ["texts in all forms", "{{ \"a\\tb\\u00e9\" }}{{ `c\\d` }}{{ 'x' }}", "a\tb\u00e9c\\d120"],
  ["numbers in all forms", "{{ 0x1F }} {{ 1_000 }} {{ 1.5 }} {{ -3 }}", "31 1000 1.5 -3"],
  ["nothing", "{{ nil }}", "<no value>"],
  ["if, else if, else", "{{ if 0 }}a{{ else if eq 1 1 }}b{{ else }}c{{ end }}", "b"],
  ["with, else with", '{{ with "" }}a{{ else with "x" }}{{ . }}{{ end }}', "x"],
  ["with a variable", '{{ with $x := env "HOME" }}{{ $x }}={{ . }}{{ end }}', "/home/me=/home/me"],
  ["range with number and value", "{{ range $i, $v := loop 2 5 }}{{ $i }}={{ $v }},{{ end }}", "0=2,1=3,2=4,"],
  ["range with a value", "{{ range $v := loop 2 }}{{ $v }}{{ . }}{{ end }}", "0011"],
  ["range over a map is sorted", '{{ range $k, $v := splitToMap "," ":" "b:1,a:2" }}{{ $k }}{{ $v }}{{ end }}', "a2b1"],
  ["range with else", "{{ range loop 0 }}x{{ else }}none{{ end }}", "none"],
  [
    "break and continue",
    "{{ range loop 9 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}",
    "02",
  ],
  [
    "variables are seen inside, and set from there",
    "{{ $n := 0 }}{{ range loop 4 }}{{ $n = add 2 $n }}{{ end }}{{ $n }}",
    "8",
  ],
  ["what is declared inside ends there", "{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"],
  [
    "the outermost dot",
    '{{ define `t` }}{{ range loop 2 }}{{ $.a }}{{ . }}{{ end }}{{ end }}{{ template `t` (parseJSON `{"a":7}`) }}',
    "7071",
  ],
  ["pipes hand on the last argument", '{{ "a,b" | split "," | join "-" | printf "%s!" }}', "a-b!"],
  ["parentheses and their fields", '{{ (parseJSON `{"a":{"b":3}}`).a.b }}', "3"],
  ["and, or and not stop early", '{{ and 0 (index (loop 1) 9) }}{{ or 5 (index (loop 1) 9) }}{{ not "" }}', "05true"],
  [
    "comparisons",
    '{{ eq 1 2 3 1 }}{{ ne "a" "b" }}{{ lt 1 2 }}{{ le 2 2 }}{{ gt "b" "a" }}{{ ge 1 2 }}',
    "truetruetruetruetruefalse",
  ],
  ["len, index, slice", '{{ len "é" }}{{ len (loop 3) }}{{ index (loop 3) 2 }}{{ slice "abcd" 1 3 }}', "232bc"],
  ["print and println", '{{ print "a" 1 2 "b" }}|{{ println "x" 1 }}', "a1 2b|x 1\n"],
  [
    "printf",
    '{{ printf "%05d|%-4s|%4.1f|%q|%t|%x|%v%%" 42 "ab" 3.14159 "q" true "hi" (loop 2) }}',
    '00042|ab  | 3.1|"q"|true|6869|[0 1]%',
  ],
  [
    "numbers are written second operand first",
    "{{ subtract 2 5 }} {{ 10 | divide 4 }} {{ modulo 3 10 }} {{ minimum 3 1 }} {{ multiply 2 2.5 }}",
    "3 2 1 1 5",
  ],
  [
    "texts",
    '{{ toUpper "a" }}{{ toTitle "ab cd" }}{{ trim "-" "--x-" }}{{ trimPrefix "a" "ab" }}{{ replaceAll "." "$&" "a.b" }}',
    "AAb Cdxba$&b",
  ],
  ["lines are indented", '{{ indent 2 "a\\n\\nb" }}', "  a\n\n  b"],
  ["patterns", '{{ regexMatch "^ba+$" "baa" }}{{ regexMatch "q" "baa" }}', "truefalse"],
  [
    "base64",
    '{{ base64Encode "hé" }} {{ base64Decode "aMOp" }} {{ base64URLEncode "\\xfb\\xff" }}',
    "aMOp hé w7vDvw==",
  ],
  [
    "what is in lists, texts and maps",
    '{{ contains "b" (split "," "a,b") }}{{ in "abc" "z" }}{{ containsAny (split "," "z,b") (split "," "a,b") }}',
    "truefalsetrue",
  ],
  ["conversions", '{{ add 1 (parseInt "41") }}{{ parseBool "t" }}{{ parseFloat "1.5" }}', "42true1.5"],
  ["JSON", '{{ with key "json" | parseJSON }}{{ .name }}{{ index .a.b 1 }}{{ toJSON .a }}{{ end }}', 'x2{"b":[1,2]}'],
  ["JSON goes into pages unharmed", '{{ toJSON "<a>" }}{{ toUnescapedJSON "<a>" }}', '"\\u003ca\\u003e""<a>"'],
  ["a key that a map has not", '{{ with parseJSON `{"a":1}` }}{{ .b }}{{ end }}', "<no value>"],
  [
    "environment and meta",
    '{{ env "HOME" }}{{ env "NONE" }}{{ envOrDefault "EMPTY" "d" }}{{ meta "owner" }}',
    "/home/medann",
  ],
  ["secrets", '{{ secretText "db" }}', "s3cret"],
  ["keys", '{{ key "/app//color" }} {{ keyOrDefault "app/none" "x" }} {{ keyExists "app/none" }}', "blue x false"],
  ["a key with an else is not waited for", '{{ with key "app/none" }}{{ . }}{{ else }}none{{ end }}', "none"],
  [
    "folders of keys",
    '{{ range ls "app" }}{{ .Key }}={{ .Value }} {{ end }}{{ range tree "app" }}{{ .Key }} {{ end }}',
    "color=blue size=12 color limits/cpu size ",
  ],
  [
    "services",
    '{{ range service "db" }}{{ .Address }}:{{ .Port }} {{ .ServiceMeta.zone }} {{ end }}',
    "10.0.0.1:5432 north 10.0.0.2:5433 north ",
  ],
  [
    "services by tag",
    '{{ range service "primary.db|passing" }}{{ .ID }}{{ end }}{{ range nomadService "db" }}{{ if .Tags.Contains "primary" }}!{{ end }}{{ end }}',
    "t-1!",
  ],
  [
    "one instance for somebody",
    '{{ range nomadService 1 "a" "db" }}{{ .ID }}{{ end }}{{ range nomadService 1 "c" "db" }} {{ .ID }}{{ end }}',
    "t-1 t-1",
  ],
  ["no more instances than there are", '{{ len (nomadService 5 "a" "db") }}', "2"],
  ["tags", '{{ range $tag, $all := service "db" | byTag }}{{ $tag }}:{{ len $all }}{{ end }}', "primary:1"],
  ["lists of services", '{{ range services }}{{ .Name }}{{ .Tags | join "," }};{{ end }}', "dbprimary;web;"],
  ["a service without instances with an else", '{{ range service "none" }}x{{ else }}none{{ end }}', "none"],
  ["the time", '{{ timestamp }} {{ timestamp "unix" }}', "2026-01-02T03:04:05Z 1767323045"],
  ["executeTemplate", '{{ define "t" }}<{{ . }}>{{ end }}{{ executeTemplate "t" "x" | toUpper }}', "<X>"],
])("%s", (_, text, wanted) => {
  expect(render(text)).toBe(wanted);
});

test("other delimiters", () => {
  expect(render('{{ [[ env "HOME" -]] }}', {}, { left: "[[", right: "]]" })).toBe("{{ /home/me}}");
});

test.each([
  ["{{ if 1 }}a", "line 1, column 1: {{ if }} has no {{ end }}; add {{ end }}"],
  ["a\n {{ end }}", "line 2, column 2: {{ end }} ends nothing"],
  ["{{ else }}", "line 1, column 1: {{ else }} ends nothing"],
  ["{{ $x }}", "line 1, column 4: no variable $x; declare it: {{ $x := … }}"],
  ["{{ if 1 }}{{ $x := 1 }}{{ end }}{{ $x }}", "line 1, column 36: no variable $x; declare it: {{ $x := … }}"],
  ["{{ break }}", "line 1, column 1: {{ break }} stands in no range"],
  ["{{ }}", "line 1, column 1: the action is empty"],
  ["{{ (1 }}", "line 1, column 1: something is missing at the end of the action"],
  ["{{ 1 2 }}", "line 1, column 4: only a function takes arguments"],
  ["{{ toUper 1 }}", 'line 1, column 4: no function "toUper"; did you mean toUpper?'],
  ['{{ "a }}', "line 1, column 4: the text is not closed on its line"],
  ["{{ 1", "line 1, column 1: the action is not closed; close it with }}"],
  ['{{ join "," }}', 'line 1, column 4: join takes 2 arguments, not 1; write join "SEPARATOR" LIST'],
  ["{{ template `x` }}", 'line 1, column 1: no template "x" is defined; add {{ define "x" }}'],
  [
    '{{ with secret "kv/db" }}{{ end }}',
    'line 1, column 9: secret: Muster uses no Vault; write a secret block in the task, and {{ secretText "NAME" }}',
  ],
  ["{{ eq 1 `a` }}", "line 1, column 4: eq: a number and text can't be compared"],
  [
    '{{ range service "db" }}{{ .Adress }}{{ end }}',
    "line 1, column 28: a service has no field Adress; it has ID, Name, Address, Port, Tags, ServiceMeta, Meta, Node, NodeID, NodeAddress, JobID, AllocID, Status",
  ],
  [
    '{{ service "db@dc2" }}',
    'line 1, column 4: service: "db@dc2": Muster has no data centres, nearness or queries here; write the name alone',
  ],
  ['{{ mustEnv "NONE" }}', "line 1, column 4: the task has no variable NONE; set it in env"],
  ['{{ secretText "db" "x" }}', 'line 1, column 4: the task has no secret "db" with "x"; add secret "db" { }'],
  ['{{ parseJSON "s3cret" }}', "line 1, column 4: parseJSON: the text is no JSON"],
  ["{{ divide 0 1 }}", "line 1, column 4: divide: can't divide by 0"],
  ['{{ "x" | regexMatch "(" }}', expect.stringContaining("regexMatch: the pattern")],
])("%s is refused with its place", (text, wanted) => {
  expect(why(text)).toEqual(wanted);
});

test("what Muster has not is refused when the template is read, each with what to use instead", () => {
  for (const [name, { reason, instead }] of Object.entries(refusedFunctions)) {
    expect(() => parseTemplate(`{{ if false }}{{ ${name} "x" }}{{ end }}`)).toThrow(`${name}: ${reason}`);
    expect(instead).not.toBe("");
  }
  expect(() => parseTemplate("{{ sprig_upper 1 }}")).toThrow("Sprig");
});

test("a name that is missing is a mistake if the template says so", () => {
  expect(why('{{ (parseJSON "{}").b }}', { failsOnMissingKey: true })).toContain('the map has no "b"');
});

test("what is not there yet is told, with all that could be found out; nothing is rendered", () => {
  const text =
    '{{ key "app/none" }}{{ range service "none" }}{{ end }}{{ key "unheard" | parseInt }}{{ service "gone" }}';
  const { text: made, missing, needs } = renderTemplate(parseTemplate(text), data);
  expect([made, missingText(missing)]).toEqual([undefined, "key app/none, service none, key unheard and 1 more"]);
  expect(needs.map(({ name }) => name)).toEqual(["app/none", "none", "unheard", "gone"]);
});

test("after the first time a service without instances is taken as it is, and a key that is not there is not", () => {
  expect(render('[{{ range service "none" }}x{{ end }}]', { takesEmptyServices: true })).toBe("[]");
  expect(render('{{ key "app/none" }}', { takesEmptyServices: true })).toBeUndefined();
});

test("a mistake that may follow from what is missing is none", () => {
  expect(render('{{ (index (service "gone") 0).Address }}')).toBeUndefined();
  expect(why("{{ (index (loop 0) 0).Address }}")).toContain("has no element 0");
});

test("size, depth, steps, results and names are bounded", () => {
  expect(why("x".repeat(templateLengthMax + 1))).toContain("at most");
  expect(why("{{ if 1 }}".repeat(templateDepthMax + 1))).toContain("levels within each other");
  expect(why(`{{ ${"(".repeat(5_000)}1 }}`)).toContain("levels within each other");
  expect(why("{{ range loop 1000 }}{{ range loop 1000 }}{{ end }}{{ end }}")).toContain("steps");
  expect(why('{{ $x := "ab" }}{{ range loop 99 }}{{ $x = printf "%s%s" $x $x }}{{ end }}')).toContain("has more than");
  expect(why('{{ $x := join "0123456789" (loop 1000) }}{{ replaceAll "" $x $x }}')).toContain("has more than");
  expect(why('{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" 1 }}')).toContain("levels deep");
  expect(why('{{ define "t" }}{{ executeTemplate "t" }}{{ end }}{{ executeTemplate "t" }}')).toContain("levels deep");
  expect(why("{{ range loop 1000 }}{{ key (print `k` .) }}{{ end }}")).toContain("more than 256 keys");
  const long = `{{ $x := join "0123456789" (loop 10000) }}{{ range loop 100000 }}{{ $x = toUpper $x }}{{ end }}`;
  expect(why(long)).toContain("steps");
});

test("names of objects are no names of ours", () => {
  expect(why("{{ constructor }}")).toContain('no function "constructor"');
  expect(render('{{ env "constructor" }}{{ (parseJSON `{"__proto__":{"a":1}}`).toString }}')).toBe("<no value>");
});

test("which instances are chosen for somebody stays when others come and go, and is even over many", () => {
  const all = Array.from({ length: 10 }, (_, index) => instanceStruct("db", instance(`t-${index}`, "10.0.0.1", 1)));
  const ids = (whom: string, of = all) => chosenFor(whom, of, 3).map(({ fields }) => String(fields.get("ID")));
  const counts = new Map<string, number>();
  for (let index = 0; index < 1_000; index++) {
    const chosen = ids(`client-${index}`);
    for (const id of chosen) counts.set(id, (counts.get(id) ?? 0) + 1);
    const rest = all.filter(({ fields }) => fields.get("ID") !== "t-0");
    const again = ids(`client-${index}`, rest);
    expect(again.filter((id) => chosen.includes(id)).length).toBe(chosen.includes("t-0") ? 2 : 3);
  }
  for (const count of counts.values()) expect(count).toBeGreaterThan(250);
  expect(counts.size).toBe(10);
});
