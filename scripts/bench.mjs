// Runs benchmarks: `npm run --silent bench -- [NAME] [--json]`. They print figures and ratios and never judge.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "bench");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".bench.mjs"))
  .map((file) => file.slice(0, -".bench.mjs".length))
  .sort();
const args = process.argv.slice(2);
const json = args.includes("--json");
const wanted = args.filter((arg) => !arg.startsWith("-"));
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(", ")}; there are: ${names.join(", ")}\n`);
  process.exit(64);
}
for (const name of wanted.length > 0 ? wanted : names) {
  const { run } = await import(join(folder, `${name}.bench.mjs`));
  const figures = await run((line) => process.stderr.write(`${line}\n`));
  if (json) process.stdout.write(`${JSON.stringify({ name, figures })}\n`);
  else print(name, figures);
}

function print(name, figures) {
  const rows = figures.map(({ label, value, unit, peer, ratio }) => [
    label,
    `${format(value)} ${unit}`,
    peer === undefined ? "" : String(peer),
    ratio === undefined ? "" : `${format(ratio)}x`,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column].length)));
  process.stdout.write(`${name}\n`);
  for (const row of rows)
    process.stdout.write(
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd()}\n`,
    );
}

function format(value) {
  if (typeof value !== "number") return String(value);
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}
