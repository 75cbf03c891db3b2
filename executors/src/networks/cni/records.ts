import { promises as fs } from "node:fs";
import { join } from "node:path";
import type { NetSpec } from "../../world/nets.ts";
import { parseNetworkList } from "./network-list.ts";
import { parseObject } from "./read-json.ts";

/** What has been asked of plugins for one group, kept until they have taken it away again. */
export interface NetRecord {
  readonly spec: NetSpec;
  /** The configuration that was used, whatever has become of its file. */
  readonly config: string;
  /** What the last plugin printed; undefined: not all have come to their ends. */
  readonly result: string | undefined;
}

/** What the record of one network of a group is called: by the group, and beside the first by the number, too. */
export function recordName({ key, index = 0 }: NetSpec): string {
  return index === 0 ? key : `${key}+${index}`;
}

/** The group that a record is of. */
export function groupOfRecord(name: string): string {
  return name.split("+")[0] ?? name;
}

/**
 * The records of one agent. They lie outside the groups' own folders, which go after a while even if plugins have refused
 * to remove a network.
 */
export class NetRecords {
  readonly #folder: string;

  constructor(dataFolder: string, mode: string) {
    this.#folder = join(dataFolder, "networks", mode);
  }

  /** Names of all records. */
  async names(): Promise<string[]> {
    const names = await fs.readdir(this.#folder).catch(() => [] as string[]);
    return names.filter((name) => !name.endsWith(".new"));
  }

  /** Undefined: there is none, or it can't be read, which a synced and renamed file never is. */
  async read(name: string): Promise<NetRecord | undefined> {
    const text = await fs.readFile(join(this.#folder, name), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    const what = `record of the network of group ${name}`;
    const { spec, config, result } = parseObject(text, what) as unknown as NetRecord;
    parseNetworkList(config, what);
    return { spec, config, result };
  }

  /** On the disk when it comes back. */
  async write(record: NetRecord): Promise<void> {
    await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const path = join(this.#folder, recordName(record.spec));
    const file = await fs.open(`${path}.new`, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(record));
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(`${path}.new`, path);
    const folder = await fs.open(this.#folder, "r");
    await folder.sync().finally(() => folder.close());
  }

  async remove(name: string): Promise<void> {
    await fs.rm(join(this.#folder, name), { force: true });
  }
}
