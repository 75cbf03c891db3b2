// Our HCL parser beside hcl2-parser (HashiCorp's own grammar compiled to JavaScript), on the same files.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const rounds = 7;

/** Median of a list of numbers. */
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

export async function run(log) {
  const { parse } = await import("../jobspecs/dist/syntax/parse.js");
  const { Report, Source } = await import("../jobspecs/dist/syntax/source.js");
  const reference = createRequire(join(root, "jobspecs", "package.json"))("hcl2-parser");
  const folder = join(root, "jobspecs", "examples");
  const texts = readdirSync(folder)
    .filter((file) => file.endsWith(".hcl"))
    .map((file) => readFileSync(join(folder, file), "utf8"));
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  log(`parse: ${texts.length} job files, ${bytes} bytes, median of ${rounds} rounds after one to warm up`);
  const time = (parse, repeat) => {
    const measured = [];
    for (let round = 0; round <= rounds; round++) {
      const begin = process.hrtime.bigint();
      for (let i = 0; i < repeat; i++) for (const text of texts) parse(text);
      if (round > 0) measured.push(Number(process.hrtime.bigint() - begin) / 1e3 / repeat / texts.length);
    }
    return median(measured);
  };
  const theirs = time((text) => reference.parseToString(text), 3);
  const ours = time((text) => parse(new Source("bench.hcl", text), new Report()), 60);
  return [
    {
      label: "ours, a file",
      value: ours,
      unit: "µs",
      peer: `hcl2-parser ${Math.round(theirs)} µs`,
      ratio: theirs / ours,
    },
    { label: "ours", value: bytes / texts.length / ours, unit: "MB/s" },
  ];
}
