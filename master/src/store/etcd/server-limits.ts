import { status } from "@grpc/grpc-js";
import { MusterError, storeTransactionBytesMax, storeWritesMax } from "@muster/foundation";
import { attemptTimeoutMs, type EtcdConnection } from "./connection.ts";
import { compareEqual, compareTarget } from "./wire.ts";

/** What etcd must be started with: its own limits are 128 operations and 1.5 MiB. */
export const txnOperationsMin = 1_024;
export const requestBytesMin = 8 * 1024 * 1024;
/** Beside the writes or compares of a transaction: our own key. */
const operationsNeeded = storeWritesMax + 1;
/** Before the largest transaction there is what wraps it. */
const wrappingBytes = 256 * 1024;

/**
 * Asks etcd for a transaction as large as the store's may be, of which nothing is done, so that a limit that is too low
 * is found out by who starts the master and not by whoever first needs it. Costs one request of 5 MiB.
 */
export function checkServer(
  connection: EtcdConnection,
  key: Buffer,
  done: (fault: MusterError | undefined) => void,
): void {
  const never = {
    result: compareEqual,
    target: compareTarget.createRevision,
    key,
    createRevision: Number.MAX_SAFE_INTEGER,
  };
  const look = { range: { key, countOnly: true } };
  const operations = { compare: [never], success: Array.from({ length: operationsNeeded }, () => look), failure: [] };
  connection.call("txn", operations, "again", (result) => {
    if (!result.ok) {
      const isLimit = /too many operations/.test(result.failure?.details ?? "");
      return done(isLimit ? limit(connection, "operations", `--max-txn-ops=${txnOperationsMin}`) : result.error);
    }
    const value = Buffer.alloc(storeTransactionBytesMax + wrappingBytes);
    const bytes = { compare: [never], success: [{ put: { key, value } }], failure: [] };
    connection.call(
      "txn",
      bytes,
      "again",
      (weighed) => {
        if (weighed.ok) return done(undefined);
        const { code, details = "" } = weighed.failure ?? {};
        const isLimit = code === status.RESOURCE_EXHAUSTED || /too large/.test(details);
        done(isLimit ? limit(connection, "bytes", `--max-request-bytes=${requestBytesMin}`) : weighed.error);
      },
      attemptTimeoutMs * 3,
    );
  });
}

function limit({ endpoint }: EtcdConnection, what: string, flag: string): MusterError {
  return new MusterError(
    "wrong-state",
    `etcd at ${endpoint} takes too few ${what} in a transaction: start each of its members with ${flag}`,
  );
}
