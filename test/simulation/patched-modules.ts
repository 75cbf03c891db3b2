import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createServer, type ViteDevServer } from "vite";

/** A small change of one source file, by exact text. */
export interface Patch {
  /** Path from the repository's root. */
  readonly file: string;
  readonly search: string;
  readonly replace: string;
}

const root = resolve(import.meta.dirname, "../..");
const conditions = ["muster-source", "node"];

/** Modules of this repository, loaded apart from the running ones, with patches applied in memory. */
export interface PatchedModules {
  /** `path` is from the repository's root. */
  load<T>(path: string): Promise<T>;
  close(): Promise<void>;
}

/** Throws if the text that a patch looks for is not there exactly once: a bug that can't be planted proves nothing. */
export async function patchedModules(patches: readonly Patch[]): Promise<PatchedModules> {
  for (const patch of patches) {
    const found = readFileSync(resolve(root, patch.file), "utf8").split(patch.search).length - 1;
    if (found !== 1) throw new Error(`${patch.file}: ${found} times instead of once: ${patch.search}`);
  }
  const applied = new Set<Patch>();
  const server = await createServer({
    root,
    configFile: false,
    logLevel: "error",
    appType: "custom",
    server: { middlewareMode: true, watch: null, hmr: false, ws: false },
    optimizeDeps: { noDiscovery: true, include: [] },
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    plugins: [
      {
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
      },
    ],
  });
  return {
    load: async <T>(path: string) => {
      const module = (await loadModule(server, path)) as T;
      for (const patch of patches) if (!applied.has(patch)) throw new Error(`${patch.file} was not loaded by ${path}`);
      return module;
    },
    close: () => server.close(),
  };
}

function loadModule(server: ViteDevServer, path: string): Promise<unknown> {
  return server.ssrLoadModule(`/${path}`);
}
