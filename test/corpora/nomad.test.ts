import { createRequire } from "node:module";
import { seededRandom } from "@muster/foundation";
import { compileJob, convertDocument, formatSource, originOf, validateSource } from "@muster/jobspecs";
import { expect } from "vitest";
import { differenceOfPlaces, loadOracle } from "../../jobspecs/src/reference/oracle.test.support.ts";
import { testUnless } from "../e2e-root/machine.ts";
import { clone, type JobFile, jobFiles, reason } from "./nomad-files.ts";

const reference = createRequire(new URL("../../jobspecs/package.json", import.meta.url))("hcl2-parser") as {
  parseToString(text: string): [string, unknown];
};

testUnless(
  reason,
  "every job file of Nomad's repository has the reference's verdict",
  () => {
    expect(jobFiles.length).toBeGreaterThan(200);
    const different = jobFiles.filter(({ path, text }) => {
      const accepted = !validateSource(path, text).some(({ severity }) => severity === "error");
      return accepted !== !reference.parseToString(text)[1];
    });
    expect(different.map(({ path }) => path)).toEqual([]);
  },
  120_000,
);

/** Mutants of job files that are compared: the reference takes its time with each. */
const mutantCount = 250;

/** Signs put in, or some cut out; the same for the same number. */
function mutant(number: number): string {
  const random = seededRandom(`mutant ${number}`);
  const below = (most: number): number => Math.floor(random.next() * most);
  const { text } = jobFiles[below(jobFiles.length)] as JobFile;
  const at = below(text.length);
  if (below(3) === 0) return text.slice(0, at) + text.slice(at + 1 + below(12));
  const signs = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    '"',
    "=",
    ",",
    ".",
    "${",
    "%{",
    "}",
    "?",
    "1",
    "-",
    "#",
    "//",
    "\\",
    "\n",
  ];
  return text.slice(0, at) + signs[below(signs.length)] + text.slice(at);
}

testUnless(
  reason,
  `${mutantCount} mutants of them have the reference's verdict, and their first error at its line and column`,
  () => {
    const oracle = loadOracle();
    const different: string[] = [];
    let refusedCount = 0;
    for (let number = 0; number < mutantCount; number++) {
      const text = mutant(number);
      const ours = validateSource("f.hcl", text);
      const theirs = oracle.diagnose(text);
      if (ours.length > 0) refusedCount++;
      const difference = theirs && differenceOfPlaces(ours, theirs);
      if (difference) different.push(`mutant ${number}: ${difference}`);
    }
    expect(different).toEqual([]);
    expect(refusedCount).toBeGreaterThan(mutantCount / 4);
  },
  300_000,
);

testUnless(
  reason,
  "every block and attribute in them is known: it works, is warned of or refused, with a reason",
  () => {
    const problems: string[] = [];
    let decoded = 0;
    for (const { path, text } of jobFiles) {
      const { job, diagnostics, omittedCount } = compileJob({ file: path, text });
      if (job) decoded++;
      expect(omittedCount, path).toBe(0);
      for (const { code, summary, line } of diagnostics)
        if (/^schema\/(unknown|labels|repeated|wrong-type)/.test(code)) problems.push(`${path}:${line} ${summary}`);
    }
    // Read, but of another kind of driver, whose settings are its own affair.
    expect(problems).toEqual([]);
    expect(decoded).toBeGreaterThan(100);
  },
  60_000,
);

testUnless(
  reason,
  "formatting them twice changes nothing more, and never a byte that is not a blank",
  () => {
    for (const { path, text } of jobFiles) {
      const once = formatSource(text);
      expect(formatSource(once), path).toBe(once);
      expect(once.replace(/\s+/g, ""), path).toBe(text.replace(/\s+/g, ""));
    }
  },
  60_000,
);

testUnless(reason, "its job in the API's form becomes the job file beside it", () => {
  const [json] = clone?.read(["command/testdata/example-short.json"]) ?? [];
  const document: unknown = JSON.parse(json?.text ?? "");
  expect(originOf(document)).toBe("nomad");
  const [made] = convertDocument(document, "nomad");
  expect(
    compileJob({ file: "example.hcl", text: made?.text ?? "" }).job?.groups[0]?.tasks[0]?.config.image,
  ).toMatchObject({
    name: "redis:7",
  });
});

testUnless(reason, "the repository's own case of a formatter comes out as there", () => {
  const [input, output] = clone?.read(["command/testdata/fmt/job.in.hcl", "command/testdata/fmt/job.out.hcl"]) ?? [];
  expect(formatSource(input?.text ?? "")).toBe(output?.text);
});
