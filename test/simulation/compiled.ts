import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "vite";

/** A small change of one source file, by exact text. */
export interface Patch {
  /** Path from the repository's root. */
  readonly file: string;
  readonly search: string;
  readonly replace: string;
}

const root = resolve(import.meta.dirname, "../..");
const conditions = ["muster-source", "node"];

/**
 * Compiles a module of this repository with all of ours that it imports, patched, into one file, and loads that apart from
 * the running ones. A second instead of many: several hundred modules need not be looked up, transformed and linked one by
 * one, and calls between them are plain calls. `path` is from the repository's root.
 *
 * Throws if the text that a patch looks for is not there exactly once, or in no module that was loaded: a bug that can't be
 * planted proves nothing.
 */
export async function compiled<T>(path: string, patches: readonly Patch[] = []): Promise<T> {
  for (const patch of patches) {
    const found = readFileSync(resolve(root, patch.file), "utf8").split(patch.search).length - 1;
    if (found !== 1) throw new Error(`${patch.file}: ${found} times instead of once: ${patch.search}`);
  }
  const applied = new Set<Patch>();
  // Below the packages, so that they are found, and that nobody takes it for source.
  const folder = mkdtempSync(resolve(root, "node_modules/.simulation-"));
  try {
    await build({
      root,
      configFile: false,
      logLevel: "error",
      resolve: { conditions },
      ssr: { noExternal: [/^@muster\//], resolve: { conditions } },
      plugins: [planting(patches, applied), placing],
      build: {
        ssr: resolve(root, path),
        outDir: folder,
        minify: false,
        target: "node20",
        rolldownOptions: { output: { entryFileNames: "compiled.mjs" } },
      },
    });
    for (const patch of patches) if (!applied.has(patch)) throw new Error(`${patch.file} was not loaded by ${path}`);
    return (await import(pathToFileURL(resolve(folder, "compiled.mjs")).href)) as T;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function planting(patches: readonly Patch[], applied: Set<Patch>): Plugin {
  return {
    name: "planted",
    enforce: "pre",
    transform(code, id) {
      const mine = patches.filter((patch) => id === resolve(root, patch.file));
      if (mine.length === 0) return undefined;
      let changed = code;
      for (const patch of mine) {
        changed = changed.replace(patch.search, () => patch.replace);
        applied.add(patch);
      }
      return { code: changed, map: null };
    },
  };
}

/** Modules find files beside them by their own place, which is not that of what they were compiled to. */
const placing: Plugin = {
  name: "placed",
  transform(code, id) {
    if (!code.includes("import.meta.url")) return undefined;
    return { code: code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href)), map: null };
  },
};
