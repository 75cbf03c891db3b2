import { MusterError, type Random, type Result, randomText, type Store, type StoreEntry } from "@muster/foundation";
import type { MaintenanceWindow } from "@muster/proto";
import { decodeBudget, type StoredBudget } from "./budgets.ts";
import { decodeMaintenance, maintenanceKey } from "./maintenance.ts";
import {
  decodeAgent,
  decodeFramework,
  decodeLease,
  registryKeys,
  type StoredAgent,
  type StoredFramework,
  type StoredLease,
} from "./records.ts";
import { decodeRole, type StoredRole } from "./roles.ts";
import { decodeStanding, type StoredStanding } from "./standings.ts";

/** What a new leader finds. */
export interface Registry {
  readonly clusterId: string;
  readonly agents: readonly StoredAgent[];
  readonly frameworks: readonly StoredFramework[];
  readonly leases: readonly StoredLease[];
  readonly roles: readonly StoredRole[];
  readonly budgets: readonly StoredBudget[];
  readonly standings: readonly StoredStanding[];
  readonly maintenance: readonly MaintenanceWindow[];
}

/** Entries that are read at once. */
const pageSize = 500;

/** Reads the registry; makes the cluster's id if this is its first leader. A damaged entry is an error, never skipped. */
export function loadRegistry(store: Store, random: Random, done: (result: Result<Registry>) => void): void {
  loadClusterId(store, random, (id) => {
    if (!id.ok) return done(id);
    listAll(store, registryKeys.agents, decodeAgent, (agents) => {
      if (!agents.ok) return done(agents);
      listAll(store, registryKeys.frameworks, decodeFramework, (frameworks) => {
        if (!frameworks.ok) return done(frameworks);
        listAll(store, registryKeys.overlays, decodeLease, (leases) => {
          if (!leases.ok) return done(leases);
          listAll(store, registryKeys.roles, decodeRole, (roles) => {
            if (!roles.ok) return done(roles);
            const found = { agents: agents.value, frameworks: frameworks.value, leases: leases.value };
            listAll(store, registryKeys.budgets, decodeBudget, (budgets) => {
              if (!budgets.ok) return done(budgets);
              loadDecisions(store, (decided) => {
                if (!decided.ok) return done(decided);
                const rest = { roles: roles.value, budgets: budgets.value, ...decided.value };
                done({ ok: true, value: { clusterId: id.value, ...found, ...rest } });
              });
            });
          });
        });
      });
    });
  });
}

function loadClusterId(store: Store, random: Random, done: (result: Result<string>) => void): void {
  const key = registryKeys.clusterId;
  store.get(key, (found) => {
    if (!found.ok) return done(found);
    if (found.value) return done({ ok: true, value: new TextDecoder().decode(found.value.value) });
    const id = `cluster-${randomText(random, 12)}`;
    const puts = [{ key, value: new TextEncoder().encode(id) }];
    store.transact({ compares: [{ key, version: 0 }], puts, deletes: [] }, (written) => {
      if (!written.ok) return done(written);
      if (!written.value.committed)
        return done({ ok: false, error: new MusterError("unavailable", "the store has changed") });
      done({ ok: true, value: id });
    });
  });
}

/** What operators have decided about agents. */
function loadDecisions(
  store: Store,
  done: (result: Result<Pick<Registry, "standings" | "maintenance">>) => void,
): void {
  listAll(store, registryKeys.standings, decodeStanding, (standings) => {
    if (!standings.ok) return done(standings);
    loadPlan(store, (maintenance) => {
      if (!maintenance.ok) return done(maintenance);
      done({ ok: true, value: { standings: standings.value, maintenance: maintenance.value } });
    });
  });
}

function loadPlan(store: Store, done: (result: Result<readonly MaintenanceWindow[]>) => void): void {
  store.get(maintenanceKey, (found) => {
    if (!found.ok) return done(found);
    if (!found.value) return done({ ok: true, value: [] });
    try {
      done({ ok: true, value: decodeMaintenance(maintenanceKey, found.value.value) });
    } catch (error) {
      done({ ok: false, error: MusterError.from(error) });
    }
  });
}

function listAll<T>(
  store: Store,
  prefix: string,
  decode: (key: string, value: Uint8Array) => T,
  done: (result: Result<readonly T[]>) => void,
): void {
  const records: T[] = [];
  const next = (after: string | undefined): void => {
    store.list(prefix, after === undefined ? { limit: pageSize } : { after, limit: pageSize }, (page) => {
      if (!page.ok) return done(page);
      try {
        for (const { key, value } of page.value) records.push(decode(key, value));
      } catch (error) {
        return done({ ok: false, error: MusterError.from(error) });
      }
      const last: StoreEntry | undefined = page.value[page.value.length - 1];
      if (last === undefined || page.value.length < pageSize) return done({ ok: true, value: records });
      next(last.key);
    });
  };
  next(undefined);
}
