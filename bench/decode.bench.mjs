// A job file from its text to the checked job: every one of Nomad's repository where MUSTER_NOMAD_CLONE names a clone,
// else our examples; and files that are meant to take long.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const rounds = 20;

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function ofClone(folder) {
  const git = (...args) => execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", maxBuffer: 1 << 26 });
  const paths = git("ls-tree", "-r", "-z", "--name-only", "HEAD")
    .split("\0")
    .filter((path) => /\.(nomad|hcl|tpl)$|\.nomad\./.test(path));
  const input = paths.map((path) => `HEAD:${path}\n`).join("");
  const { stdout } = spawnSync("git", ["-C", folder, "cat-file", "--batch"], { input, maxBuffer: 1 << 28 });
  const texts = [];
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(10, at);
    const [, kind, size] = stdout.subarray(at, end).toString().split(" ");
    at = end + 1;
    if (kind !== "blob") continue;
    const text = stdout.subarray(at, at + Number(size)).toString();
    at += Number(size) + 1;
    if (/^\s*job\s.*\{/m.test(text)) texts.push(text);
  }
  return texts;
}

const thousand = "range(1000)";
const hostile = {
  "loops in loops": `x = [for a in ${thousand} : [for b in ${thousand} : [for c in ${thousand} : a]]]`,
  "loops of templates": 'x = "%{ for a in range(1000) }%{ for b in range(1000) }x%{ endfor }%{ endfor }"',
  "a pattern": `x = [for a in ${thousand} : regexall("(a*)*b", "${"a".repeat(2000)}")]`,
  products: `x = [for a in ${thousand} : setproduct(range(30), range(100), range(10))]`,
  "a chain": `x = {}${".z".repeat(20_000)}`,
  "20,000 brackets": `x = ${"[".repeat(20_000)}`,
  "a heredoc of 1 MB": `x = <<E\n${"abc ".repeat(250_000)}\nE\n`,
  "a million blocks": `dynamic "group" {\n for_each = setproduct(range(1000), range(1000))\n content {}\n}`,
};

export async function run(log) {
  const { compileJob } = await import("../jobspecs/dist/index.js");
  const clone = process.env.MUSTER_NOMAD_CLONE;
  const examples = join(root, "jobspecs", "examples");
  const texts = clone
    ? ofClone(clone)
    : readdirSync(examples).map((name) => readFileSync(join(examples, name), "utf8"));
  log(`decode: ${texts.length} job files${clone ? " of Nomad's repository" : ", ours: MUSTER_NOMAD_CLONE names more"}`);
  const best = texts.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, text] of texts.entries()) {
      const begin = performance.now();
      compileJob({ file: "bench.hcl", text });
      if (round > 0) best[index] = Math.min(best[index], performance.now() - begin);
    }
  }
  best.sort((a, b) => a - b);
  const results = [
    { label: "median file", value: percentile(best, 0.5), unit: "ms", peer: "bar 1 ms" },
    { label: "p99", value: percentile(best, 0.99), unit: "ms", peer: "bar 10 ms" },
  ];
  for (const [name, text] of Object.entries(hostile)) {
    const begin = process.cpuUsage();
    const { diagnostics } = compileJob({
      file: "h",
      text: `locals {\n${text.startsWith("dynamic") ? "" : text}\n}\njob "j" {\n${text.startsWith("dynamic") ? text : ""}\n}\n`,
    });
    const { user, system } = process.cpuUsage(begin);
    results.push({
      label: `${name}: ${diagnostics[0]?.code ?? "read"}`,
      value: (user + system) / 1000,
      unit: "ms of CPU",
      peer: "bar 100 ms",
    });
  }
  return results;
}
