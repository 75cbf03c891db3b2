import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { type Log, type Store, systemClock, systemRandom, type ValuesOf } from "@muster/foundation";
import { etcdSettings, etcdStore, isEtcdUrl } from "@muster/master/store-etcd";
import { lmdbStore } from "@muster/master/store-lmdb";
import { usageError } from "../cli-error.ts";
import { parseAddress } from "../connect/address.ts";
import { lockFolder } from "../dev/lock.ts";
import type { schemas } from "./schemas.ts";

type MasterSettings = ValuesOf<typeof schemas.master>;

/** What the store is, once everything that can be wrong with its settings has been said. */
export function storeOf(settings: MasterSettings, log: Log): () => Promise<Store> {
  if (settings.store === "") return () => ownStore(settings.dataDir);
  if (!isEtcdUrl(settings.store)) throw usageError(`--store needs etcd://host:port, not "${settings.store}"`);
  try {
    const etcd = etcdSettings({
      url: settings.store,
      caFile: settings.etcdCa,
      certFile: settings.etcdCert,
      keyFile: settings.etcdKey,
      user: settings.etcdUser,
      passwordFile: settings.etcdPasswordFile,
      leaseSeconds: settings.leaseSeconds,
    });
    return async () => etcdStore({ clock: systemClock, random: systemRandom, log }, etcd);
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

async function ownStore(dataDir: string): Promise<Store> {
  const folder = resolve(dataDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await lockFolder(folder, "master");
  return lmdbStore({ folder, clock: systemClock });
}

/** Under which the others find this master: by it they are sent from one that does not lead to the one that does. */
export function advertisedAddress({ advertise, listen, store }: MasterSettings): string {
  if (advertise !== "" && !parseAddress(advertise)) throw usageError(`--advertise needs host:port, not "${advertise}"`);
  if (advertise !== "") return advertise;
  const host = parseAddress(listen)?.host;
  if (store !== "" && (host === "0.0.0.0" || host === "::"))
    throw usageError(`--listen ${listen} tells the others no address of this master`, "--advertise host:port");
  return listen;
}
