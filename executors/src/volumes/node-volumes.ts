import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import type { Log } from "@muster/foundation";
import type { Volumes } from "../world/volumes.ts";
import { volumeFolder, volumesFolder } from "./folders.ts";

/** A folder that is being removed is set aside first under this beginning: no volume has such a name. */
const removing = "~";

/** Volumes as folders below the agent's own. */
export class NodeVolumes implements Volumes {
  readonly #dataFolder: string;
  readonly #log: Log;

  constructor(dataFolder: string, log: Log) {
    this.#dataFolder = dataFolder;
    this.#log = log;
  }

  make(id: string, done: (failure: string | undefined) => void): void {
    const folder = volumeFolder(this.#dataFolder, id);
    const made = async (): Promise<void> => {
      await mkdir(volumesFolder(this.#dataFolder), { recursive: true, mode: 0o711 });
      await mkdir(folder, { recursive: true });
      // Tasks of any account may use it; whoever can't name it can't get there.
      await chmod(folder, 0o777);
    };
    settle(made(), done);
  }

  remove(id: string, done: (failure: string | undefined) => void): void {
    const folder = volumeFolder(this.#dataFolder, id);
    if (!existsSync(folder)) {
      setImmediate(done, undefined);
      return;
    }
    settle(this.#takeAway(id), done);
  }

  keep(ids: ReadonlySet<string>): void {
    const folder = volumesFolder(this.#dataFolder);
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (ids.has(name)) continue;
      this.#log.warn({ folder: `${folder}/${name}` }, "a volume's folder that no record tells of is removed");
      settle(name.startsWith(removing) ? this.#erase(name) : this.#takeAway(name), (failure) => {
        if (failure) this.#log.error({ folder: name, reason: failure }, "a volume's folder could not be removed");
      });
    }
  }

  /** Renamed first: whatever stops the removal half-way, nobody finds half of the data under the volume's name. */
  async #takeAway(id: string): Promise<void> {
    const name = `${removing}${id}`;
    await this.#erase(name);
    await rename(volumeFolder(this.#dataFolder, id), `${volumesFolder(this.#dataFolder)}/${name}`);
    await this.#erase(name);
  }

  async #erase(name: string): Promise<void> {
    await rm(`${volumesFolder(this.#dataFolder)}/${name}`, { recursive: true, force: true });
  }
}

function settle(work: Promise<void>, done: (failure: string | undefined) => void): void {
  work.then(
    () => done(undefined),
    (error: Error) => done(error.message),
  );
}
