// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { constants, generateKeyPairSync, publicEncrypt } from "node:crypto";
import bcryptjs from "bcryptjs";
import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { readSettings } from "../compile/settings.ts";
import { functions } from "./functions.ts";

const value = (expression: string): unknown => {
  const { settings, diagnostics } = readSettings("t.hcl", `x = ${expression}\n`);
  return diagnostics.length > 0 ? diagnostics.map(({ summary }) => summary).join() : settings["x"];
};

const ofNomad =
  `abs base64decode base64encode bcrypt can ceil chomp chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets
  coalesce coalescelist compact concat contains convert csvdecode distinct element flatten floor format formatdate
  formatlist indent index join jsondecode jsonencode keys length log lookup lower max md5 merge min parseint pow range
  regex_replace replace reverse rsadecrypt setintersection setproduct setunion sha1 sha256 sha512 signum slice sort split
  strlen strrev substr timeadd title trim trimprefix trimspace trimsuffix try upper urlencode uuidv4 uuidv5 values
  yamldecode yamlencode zipmap abspath basename dirname file filebase64 fileexists fileset pathexpand`.split(/\s+/);
const askedFor = `templatefile tolist toset tomap tostring tonumber tobool regex regexall startswith endswith timestamp`;

test.each([...ofNomad, ...askedFor.split(" ")])("%s() is known", (name) => {
  expect(functions.has(name) || ["try", "can", "convert", "templatefile"].includes(name)).toBe(true);
});

test.each([
  ['regex("[a-z]+", "53453453.345345aaabbbccc23454")', "aaabbbccc"],
  ['regex("(\\\\d\\\\d\\\\d\\\\d)-(\\\\d\\\\d)-(\\\\d\\\\d)", "2019-02-01")', ["2019", "02", "01"]],
  ['regex("(?P<host>[^:/]+):(?P<port>\\\\d+)", "db:5432")', { host: "db", port: "5432" }],
  ['regex("a|ab", "ab")', "a"],
  ['regex("(a+?)(a*)", "aaa")', ["a", "aa"]],
  ['regex("(?i)É", "é")', "é"],
  ['regex("x", "y")', "regex(): the pattern matches nothing in the text"],
  [
    'regex("(?=a)", "a")',
    'regex(): the pattern is no regular expression: "(?=" is not known here; looking around is not',
  ],
  ['regexall("[[:alpha:]]+", "1234abcd5678efgh9")', ["abcd", "efgh"]],
  [
    'regexall("(a)|(b)", "ab")',
    [
      ["a", null],
      [null, "b"],
    ],
  ],
  ['regexall("\\\\bfoo\\\\b", "foo food foo")', ["foo", "foo"]],
  ['regexall("a*", "baac")', ["", "aa", ""]],
  ['regex_replace("a-b-c", "-", "")', "abc"],
  ['regex_replace("ab", "(?P<x>a)(b)", "$${2}$${x}$$$$")', "ba$$"],
  ['regex_replace("a.b", "\\\\x2E|\\\\p{Lu}", "_")', "a_b"],
  ['regex_replace("aXbX", "X$", "!")', "aXb!"],
  ['startswith("hello", "he")', true],
  ['endswith("hello", "he")', false],
  ['tonumber("15")', 15],
  ['tonumber("a")', "tonumber(): a string is no number"],
  ["tonumber(null)", null],
  ['tobool("true")', true],
  ["tostring(true)", "true"],
  ["tomap({ a = 1 })", { a: 1 }],
  ["tolist(toset([3, 1, 3]))", [1, 3]],
  [
    'yamldecode("a: [1, x, \\"q\\"]\\nb:\\n- c: true\\n  d: |\\n    one\\n    two\\n- ~\\n")',
    {
      a: [1, "x", "q"],
      b: [{ c: true, d: "one\ntwo\n" }, null],
    },
  ],
  ['yamldecode("x: &a 1\\ny: *a\\n")', { x: 1, y: 1 }],
  ['yamldecode("x: [1")', expect.stringMatching(/^yamldecode\(\): .* at line 1, column 6$/)],
  ['yamldecode("a: 1\\n---\\nb: 2\\n")', expect.stringContaining("multiple documents")],
  ['yamldecode(">-\\n  a\\n  b\\n\\n  c\\n")', "a b\nc"],
  ['yamldecode(yamlencode({ a = [1, null, true], b = { c = "d" } }))', { a: [1, null, true], b: { c: "d" } }],
  ["distinct([1, 1, 2])", [1, 2]],
  ["setintersection([1, 2, 3], [3, 2], [2])", [2]],
  [
    'convert({ a = "1" }, object({ a = number, b = optional(string), c = optional(number, 7) }))',
    { a: 1, b: null, c: 7 },
  ],
  ["convert({}, object({ a = number }))", "convert(): a map is no object({a = number})"],
])("%s", (expression, wanted) => {
  expect(value(expression)).toEqual(wanted);
});

test("a replacement's groups are read by number and by name", () => {
  expect(value('regex_replace("hello world", "(\\\\w+) (\\\\w+)", "$2 $1")')).toBe("world hello");
});

test("bcrypt gives hashes that others know the password by", () => {
  const hash = value('bcrypt("secret", 4)') as string;
  expect(hash).toMatch(/^\$2a\$04\$[./A-Za-z0-9]{53}$/);
  expect([bcryptjs.compareSync("secret", hash), bcryptjs.compareSync("Secret", hash)]).toEqual([true, false]);
  expect(value('bcrypt("x", 20)')).toBe("bcrypt(): the cost is 4 to 12");
  expect(value(`bcrypt("${"x".repeat(73)}")`)).toBe("bcrypt(): a password has at most 72 bytes");
});

test("rsadecrypt opens what the public key closed", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs1", format: "pem" });
  const cipher = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, Buffer.from("open sesame"));
  const call = (key: string) => value(`rsadecrypt("${cipher.toString("base64")}", <<EOT\n${key}EOT\n)`);
  expect(call(`${pem}`)).toBe("open sesame");
  expect(call("none\n")).toContain("no RSA key");
});

test("timestamp is the moment of the compilation", () => {
  const text =
    'job "j" {\n meta {\n a = timestamp()\n b = timeadd(timestamp(), "1h")\n }\n task "t" {\n driver = "process"\n config {\n command = "true"\n }\n }\n}\n';
  expect(compileJob({ file: "j", text, now: () => "2026-01-31T09:00:00Z" }).job?.meta).toEqual({
    a: "2026-01-31T09:00:00Z",
    b: "2026-01-31T10:00:00Z",
  });
  expect(value("timestamp()")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

const thousand = "range(1000)";

test.each([
  ["loops in loops", `[for a in ${thousand} : [for b in ${thousand} : [for c in ${thousand} : a]]]`, "too-much"],
  [
    "a template's loops",
    `"%{ for a in ${thousand} }%{ for b in ${thousand} }%{ for c in ${thousand} }x%{ endfor }%{ endfor }%{ endfor }"`,
    "too-much",
  ],
  ["products", `[for a in ${thousand} : setproduct(range(300), range(300))]`, "function"],
  ["patterns that explode elsewhere", `regex("(a*)*b", "${"a".repeat(5000)}")`, "function"],
  ["patterns written out", 'regex("((a{100}){100}){100}", "a")', "function"],
  ["texts of texts", `replace("${"a".repeat(2000)}", "a", "${"b".repeat(2000)}")`, "function"],
  ["a long separator", `join("${"b".repeat(2000)}", ${thousand})`, "function"],
  ["passwords", `[for a in ${thousand} : bcrypt("x", 12)]`, "function"],
  [
    "aliases of aliases",
    `yamldecode("${"a0: &a0 [1]\\n"}${Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}, *a${at}]\\n`).join("")}")`,
    "function",
  ],
  ["YAML without bottom", `yamldecode("${"[".repeat(20_000)}")`, "function"],
  ["widths", `format("${"%1000d".repeat(1100)}", ${thousand}...)`, "function"],
])("%s meet a named cap", (_, expression, code) => {
  const { diagnostics } = readSettings("t.hcl", `x = ${expression}\n`);
  expect(diagnostics[0]?.code).toMatch(new RegExp(`^evaluate/${code}$`));
});

test("lists that double are counted by what is in them", () => {
  const doubled = (call: (name: string) => string) =>
    `locals {\n l0 = [1]\n${Array.from({ length: 40 }, (_, at) => `l${at + 1} = ${call(`local.l${at}`)}`).join("\n")}\n}\njob "j" {}\n`;
  for (const call of [(name: string) => `[${name}, ${name}]`, (name: string) => `{ a = ${name}, b = ${name} }`])
    expect(compileJob({ file: "j", text: doubled(call) }).diagnostics.map(({ code }) => code)).toContain(
      "evaluate/too-long",
    );
});
