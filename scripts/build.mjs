// Generates the wire's types, compiles every package in order of its references, and bundles the dashboard's page.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (command, args) => execFileSync(command, args, { cwd: root, stdio: "inherit" });

run(process.execPath, [join(root, "scripts", "generate-types.mjs")]);
run(join(root, "node_modules", ".bin", "tsc"), ["-b", "."]);
mkdirSync(join(root, "proto", "dist", "gen"), { recursive: true });
copyFileSync(join(root, "proto", "src", "gen", "muster.binpb"), join(root, "proto", "dist", "gen", "muster.binpb"));
if (existsSync(join(root, "dashboard", "build.mjs"))) run(process.execPath, [join(root, "dashboard", "build.mjs")]);
