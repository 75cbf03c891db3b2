import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DevCluster, type Finished, program } from "./dev-cluster.ts";

const cluster = new DevCluster(1_700);
const guide = readFileSync(new URL("../../docs/guide-jobs.md", import.meta.url), "utf8");

/** The blocks that people are told to type, with the heading that they stand under. */
const blocks: { heading: string; number: number; script: string }[] = [];
let heading = "";
for (const part of guide.matchAll(/^## (.+)$|^```sh\n([\s\S]*?)^```$/gm)) {
  if (part[1] !== undefined) heading = part[1];
  else blocks.push({ heading, number: blocks.length + 1, script: part[2] ?? "" });
}

beforeAll(async () => {
  await cluster.start("--no-example");
  mkdirSync(join(cluster.folder, "bin"));
  mkdirSync(join(cluster.folder, "work"));
  const launcher = `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`;
  writeFileSync(join(cluster.folder, "bin", "muster"), launcher, { mode: 0o755 });
});
afterAll(() => cluster.remove());

function runScript(script: string): Promise<Finished> {
  return new Promise((resolve) => {
    const environment = {
      ...process.env,
      PATH: `${join(cluster.folder, "bin")}:${process.env["PATH"]}`,
      MUSTER_ADDR: cluster.masterAddress,
    };
    const options = { cwd: join(cluster.folder, "work"), env: environment, timeout: 110_000 };
    execFile("sh", ["-eu", "-c", script], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    }).stdin?.end();
  });
}

test("the guide has blocks to run", () => {
  expect(blocks.length).toBeGreaterThan(10);
});

// One after the other: each goes on from what the one before left.
test.each(blocks)("$heading, block $number works as written", async ({ script }) => {
  const { code, stdout, stderr } = await runScript(script);
  expect(code, `${script}\n${stdout}\n${stderr}`).toBe(0);
});
