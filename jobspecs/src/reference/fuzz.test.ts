// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { expect, test } from "vitest";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { validateSource } from "../syntax/validate-source.ts";
import { differenceOfPlaces, loadOracle } from "./oracle.test.support.ts";

const oracle = loadOracle();

/** Short texts that hold all of the grammar between them: the reference takes a millisecond for a line. */
const bases = [
  'job "é x" {\n  a = 1 # c\n}\n',
  'b x "y" {\n}\nc {}\nd { e = 1 }\n',
  "a = /* c\n */ -1.5e3 // d\n",
  'a = ["x", 2,\n  [], {}]\n',
  'm = { b = "c", "d" : 1, (e) = null\n  f = true }\n',
  'a = b.c[0].d["e"].0\nf = g.*.h\n',
  "a = b[*].c[1][*].d\n",
  "a = b > 3 && !c || 1 + 2 * 3 % 4 == 7 ? d : -6\n",
  'a = [for i, v in n : upper(v) if v != ""]\n',
  "a = { for k, v in m : k => v... if true }\n",
  "a = f(1, g(), [3]...)\n",
  'a = "x ${b.c} $${d} %%{e} \\u00e9\\n${~ f ~}"\n',
  'a = "%{ if b ~}c%{ else }d%{ endif }%{ for x in y }${x}%{ endfor }"\n',
  "a = <<EOT\nb ${c}\n  d\nEOT\n",
  "e {\n  a = <<-EOT\n    b $${c}\n      %{ if d }e%{ endif }\n    EOT\n}\n",
  "a = (b\n  + c)\nd = x >= y\n",
];

const inserts =
  `{ } [ ] ( ) " = , . * \${ %{ ~ } ~} for if in : ? ... x 1 - ! == => # /* */ // $ % \\ && || [*] .* null é 0 .5 1e`.split(
    " ",
  );
inserts.push("\n", "<<EOT\n", "EOT\n", " ", "%{ if x }", "%{ endif }", "%{ else }", "\r", "\r\n", '"a"', "\t", "'");

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

/** One or two edits: some signs cut out, something put in, or a piece written twice. */
function mutant(seed: number): string {
  const random = randomOf(seed * 7919 + 1);
  random();
  let text = bases[seed % bases.length] ?? "";
  for (let edits = random() < 0.7 ? 1 : 2; edits > 0; edits--) {
    const at = Math.floor(random() * text.length);
    const kind = random();
    if (kind < 0.35) text = text.slice(0, at) + text.slice(at + 1 + Math.floor(random() * 12));
    else if (kind < 0.85)
      text = text.slice(0, at) + (inserts[Math.floor(random() * inserts.length)] ?? "") + text.slice(at);
    else text = text.slice(0, at + 1 + Math.floor(random() * 8)) + text.slice(at);
  }
  return text;
}

/** Each a block of its own in one text: where all are legal the reference says so in one go. */
const together = (texts: readonly string[]): string => texts.map((text, at) => `b${at} {\n${text}\n}\n`).join("");

const count = Number(process.env["MUSTER_MUTANTS"] ?? 20_000);

test(`${count} seeded mutants have the verdict of HashiCorp's grammar, and their first error at its place`, {
  timeout: 600_000,
}, () => {
  const texts = new Map(Array.from({ length: count }, (_, seed) => [mutant(seed), seed] as const));
  const legal: string[] = [];
  const different: string[] = [];
  const compare = (text: string, ours: readonly Diagnostic[]): void => {
    const theirs = oracle.diagnose(text);
    const difference = theirs && differenceOfPlaces(ours, theirs);
    if (difference) different.push(`seed ${texts.get(text)}: ${JSON.stringify(text)}: ${difference}`);
  };
  for (const text of texts.keys()) {
    const ours = validateSource("f.hcl", text);
    if (ours.length === 0) legal.push(text);
    else compare(text, ours);
  }
  for (let at = 0; at < legal.length; at += 16) {
    const some = legal.slice(at, at + 16);
    if (oracle.diagnose(together(some))?.length !== 0) for (const text of some) compare(text, []);
  }
  expect(legal.length).toBeGreaterThan(count / 10);
  expect(different).toEqual([]);
});
