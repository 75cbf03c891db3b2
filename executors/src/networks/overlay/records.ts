import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";

/** What an agent knows of a network without a master: enough to make it anew for groups that run. */
export interface OverlayRecordOnDisk {
  readonly network: OverlayNetwork;
  readonly own: OverlaySubnet;
}

/** One file for each network that has something on this host; written before anything is made. */
export class OverlayRecords {
  readonly #folder: string;

  constructor(dataFolder: string) {
    this.#folder = `${dataFolder}/networks/overlay`;
  }

  /** What can't be read is left out: the master tells it again. */
  all(): OverlayRecordOnDisk[] {
    return this.#names().flatMap((name) => {
      try {
        const record = JSON.parse(readFileSync(`${this.#folder}/${name}`, "utf8")) as OverlayRecordOnDisk;
        return record.network.name === name && record.own.network === name ? [record] : [];
      } catch {
        return [];
      }
    });
  }

  put(record: OverlayRecordOnDisk): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const path = `${this.#folder}/${record.network.name}`;
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  remove(name: string): void {
    rmSync(`${this.#folder}/${name}`, { force: true });
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => !name.endsWith(".new"));
    } catch {
      return [];
    }
  }
}
