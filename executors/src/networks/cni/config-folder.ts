import { promises as fs } from "node:fs";
import { join } from "node:path";
import { type NetworkList, parseNetworkList } from "./network-list.ts";

/** Bytes of one configuration. */
export const configBytesMax = 1024 * 1024;
/** Configurations of one folder that are looked at. */
export const configsMax = 256;

export interface FoundNetwork {
  /** Of the file, for messages. */
  readonly path: string;
  /** The file as it was. */
  readonly text: string;
  readonly list: NetworkList;
}

/** A file that can't be used, and why. */
export interface FaultyConfig {
  readonly path: string;
  readonly reason: string;
}

export interface FoundConfigs {
  /** By name; of two with one name the first file counts. */
  readonly networks: ReadonlyMap<string, FoundNetwork>;
  readonly faulty: readonly FaultyConfig[];
}

/** The networks of the host. The folder is looked at each time, a file is read again when it has changed. */
export class ConfigFolder {
  readonly #folder: string;
  #cache = new Map<string, { readonly version: string; readonly entry: FoundNetwork | FaultyConfig }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(): Promise<FoundConfigs> {
    const names = await fs.readdir(this.#folder).catch(() => [] as string[]);
    const paths = names.filter((name) => /\.(conflist|conf|json)$/.test(name)).sort();
    const networks = new Map<string, FoundNetwork>();
    const faulty: FaultyConfig[] = [];
    const cache = new Map<string, { readonly version: string; readonly entry: FoundNetwork | FaultyConfig }>();
    for (const path of paths.slice(0, configsMax).map((name) => join(this.#folder, name))) {
      const stat = await fs.stat(path).catch(() => undefined);
      if (!stat?.isFile()) continue;
      const version = `${stat.mtimeMs} ${stat.ctimeMs} ${stat.size} ${stat.ino}`;
      const known = this.#cache.get(path);
      const kept = known?.version === version ? known : { version, entry: await readConfig(path, stat.size) };
      cache.set(path, kept);
      const { entry } = kept;
      if ("reason" in entry) faulty.push(entry);
      else if (!networks.has(entry.list.name)) networks.set(entry.list.name, entry);
    }
    this.#cache = cache;
    return { networks, faulty };
  }

  /** The network of that name, or an error that lists those that there are. */
  async find(name: string): Promise<FoundNetwork> {
    const { networks, faulty } = await this.read();
    const found = networks.get(name);
    if (found) return found;
    const known = networks.size > 0 ? `it has ${[...networks.keys()].join(", ")}` : "it has none";
    const wrong = faulty.map(({ path, reason }) => `; ${path} can't be used: ${reason}`).join("");
    throw new Error(`${this.#folder} has no CNI network "${name}": ${known}${wrong}`);
  }
}

async function readConfig(path: string, size: number): Promise<FoundNetwork | FaultyConfig> {
  if (size > configBytesMax) return { path, reason: `it has ${size} bytes, at most ${configBytesMax} are read` };
  try {
    const text = await fs.readFile(path, "utf8");
    return { path, text, list: parseNetworkList(text, path) };
  } catch (error) {
    return { path, reason: (error as Error).message };
  }
}
