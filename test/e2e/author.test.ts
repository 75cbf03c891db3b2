import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DevCluster, type Ready } from "./dev-cluster.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(root, "framework-sdk", "examples");
/** What an author's folder holds of ours, and nothing else. */
const packed = ["proto", "foundation", "framework-sdk"];
const exampleLinesMax = 40;
const agentCount = 2;

const cluster = new DevCluster(5_400);
const folder = mkdtempSync(join(tmpdir(), "muster-author-"));
const place = join(folder, "author");
const exampleFiles = readdirSync(examples).filter((name) => name.endsWith(".ts"));
let ready: Ready;

/** A folder as an author has it: a package of its own with tarballs of ours installed, and the examples. */
beforeAll(async () => {
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  mkdirSync(place);
  const workspaces = packed.flatMap((name) => ["--workspace", name]);
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", tarballs, ...workspaces], { cwd: root });
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  writeFileSync(join(place, "package.json"), '{ "name": "author", "private": true, "type": "module" }\n');
  const wanted = [
    ...readdirSync(tarballs).map((name) => join(tarballs, name)),
    `@types/node@${devDependencies["@types/node"]}`,
  ];
  expect(wanted).toHaveLength(packed.length + 1);
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", ...wanted], {
    cwd: place,
  });
  for (const name of exampleFiles) cpSync(join(examples, name), join(place, name));
  ready = await cluster.start("--no-example", "--agents", String(agentCount));
});
afterAll(async () => {
  await cluster.remove();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Runs a compiled example as its author would. */
function example(name: string, ...args: readonly string[]) {
  const env = { PATH: process.env["PATH"], MUSTER_ADDR: cluster.masterAddress };
  return run(process.execPath, [join("out", `${name}.js`), ...args], { cwd: place, env, timeout: 30_000 });
}

test("an author's folder holds the SDK, proto and foundation, and nothing of the master", () => {
  const { packages } = JSON.parse(readFileSync(join(place, "package-lock.json"), "utf8")) as {
    packages: Record<string, { link?: boolean }>;
  };
  const names = Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13));
  expect(names.filter((name) => name.startsWith("@muster/")).sort()).toEqual([
    "@muster/foundation",
    "@muster/framework-sdk",
    "@muster/proto",
  ]);
  expect(names.filter((name) => name.includes("lmdb"))).toEqual([]);
  for (const name of packed) {
    const installed = realpathSync(join(place, "node_modules", "@muster", name));
    expect(installed.startsWith(realpathSync(place)), `${name} is at ${installed}`).toBe(true);
  }
});

test("tarballs hold what is used, without sources, tests or build records", () => {
  for (const name of packed) {
    const files = readdirSync(join(place, "node_modules", "@muster", name), { recursive: true, encoding: "utf8" });
    const ours = files.filter((file) => !file.startsWith("node_modules"));
    expect(ours.filter((file) => /\.test\.|(^|\/)src\/|tsbuildinfo/.test(file))).toEqual([]);
  }
});

test("the example is short, type-checks against the tarballs, and runs a command on every agent", async () => {
  expect(exampleFiles).toContain("on-every-agent.ts");
  for (const name of exampleFiles)
    expect(readFileSync(join(place, name), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(exampleLinesMax);
  const options = [
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--types",
    "node",
    "--skipLibCheck",
    "false",
  ];
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const checked = await run(tsc, [...options, "--outDir", "out", ...exampleFiles], { cwd: place }).catch(
    (error: { stdout: string }) => error,
  );
  expect(checked.stdout).toBe("");

  const proofs = join(folder, "proofs");
  mkdirSync(proofs);
  const command = ["sh", "-c", `echo ran > ${proofs}/$MUSTER_AGENT_ID`];
  const { stdout } = await example("on-every-agent", ...command);
  for (const { name } of ready.agents) expect(stdout).toContain(`${name}: TASK_FINISHED, exit code 0`);
  expect(readdirSync(proofs).sort()).toEqual(ready.agents.map(({ id }) => id).sort());
  expect(ready.agents).toHaveLength(agentCount);
});

test("a command that fails somewhere makes the example fail, and says where", async () => {
  const command = ["sh", "-c", 'test "$MUSTER_AGENT_ID" = "$0" || exit 3', ready.agents[0]?.id ?? ""];
  const failed = await example("on-every-agent", ...command).then(
    () => undefined,
    (error: { code: number; stdout: string }) => error,
  );
  expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining("agent-1: TASK_FINISHED, exit code 0") });
  expect(failed?.stdout).toContain("agent-2: TASK_FAILED, exit code 3");
});

test("the example with an executor of its own has every word said, all in one process per agent", async () => {
  const { stdout } = await example("words", "many", "words", "one", "process");
  expect(stdout.trim().split("\n").at(-1)).toBe("many words one process");
  const processes = new Set([...stdout.matchAll(/words from process (\d+)/g)].map(([, pid]) => pid));
  expect(processes.size).toBeGreaterThanOrEqual(1);
  expect(processes.size).toBeLessThanOrEqual(agentCount);
});

test("the example of a gang has its workers started together, and says how each has ended", async () => {
  const meetings = join(folder, "meetings");
  mkdirSync(meetings);
  // Nobody leaves before all four are there.
  const script = `touch "${meetings}/$MUSTER_TASK_ID"; until [ "$(ls ${meetings} | wc -l)" = 4 ]; do sleep 0.1; done`;
  const { stdout } = await example("gang", "4", "sh", "-c", script);
  expect(stdout.match(/^worker\S* on agent-[12]: TASK_FINISHED, exit code 0$/gm)).toHaveLength(4);
  const failed = await example("gang", "2", "sh", "-c", "exit 3").catch(
    (error: { code: number; stdout: string }) => error,
  );
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.stdout.match(/TASK_FAILED, exit code 3/g)).toHaveLength(2);
});
