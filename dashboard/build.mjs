// Bundles the page into dist/app, unless nothing that it is made of has changed since.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..");
const built = join(here, "dist", "app", "index.html");
const inputs = [
  ...readdirSync(join(here, "src", "app"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes(".test."))
    .map((entry) => join(entry.parentPath, entry.name)),
  join(here, "vite.config.ts"),
  join(root, "proto", "src", "gen", "muster.binpb"),
  join(root, "package-lock.json"),
];
const newest = Math.max(...inputs.map((path) => statSync(path).mtimeMs));
if (!existsSync(built) || statSync(built).mtimeMs < newest) {
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  execFileSync(process.execPath, [vite, "build", "--config", join(here, "vite.config.ts"), "--logLevel", "warn"], {
    cwd: here,
    stdio: "inherit",
  });
}
