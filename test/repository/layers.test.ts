import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const folders: string[] = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { workspaces: string[] })
  .workspaces;
const packages = folders.map((folder) => ({
  folder,
  ...(JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
    name: string;
    dependencies?: Record<string, string>;
  }),
}));
const folderOf = new Map(packages.map(({ name, folder }) => [name, folder]));

/** The diagram in ARCHITECTURE.md: for each folder, those that it may import. */
function allowedImports(): Map<string, Set<string>> {
  const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const block = /```\n(proto → [\s\S]*?)```/.exec(text)?.[1] ?? "";
  const direct = new Map(folders.map((folder) => [folder, new Set<string>()]));
  for (const line of block.trim().split("\n")) {
    const steps = line.split("→").map((step) => expand(step.trim()));
    for (let i = 1; i < steps.length; i++)
      for (const importer of steps[i] ?? [])
        for (let j = 0; j < i; j++) for (const imported of steps[j] ?? []) direct.get(importer)?.add(imported);
  }
  return direct;
}

function expand(step: string): string[] {
  if (step.startsWith("all but ")) return folders.filter((folder) => ![step.slice(8), "cli"].includes(folder));
  return step.split(",").map((name) => name.trim());
}

test("each package declares only imports that the architecture allows", () => {
  const allowed = allowedImports();
  expect(allowed.size).toBe(folders.length);
  for (const { folder, dependencies = {} } of packages)
    for (const name of Object.keys(dependencies)) {
      const imported = folderOf.get(name);
      if (imported) expect(allowed.get(folder), `${folder} imports ${imported}`).toContain(imported);
    }
});

test("each package is referenced by exactly those that declare it", () => {
  for (const { folder, dependencies = {} } of packages) {
    if (folder === "dashboard") continue;
    const { references = [] } = JSON.parse(readFileSync(join(root, folder, "tsconfig.json"), "utf8")) as {
      references?: { path: string }[];
    };
    const referenced = references.map(({ path }) => join(folder, path)).sort();
    const declared = Object.keys(dependencies).flatMap((name) => folderOf.get(name) ?? []);
    expect(referenced, folder).toEqual(declared.sort());
  }
});
