import { connect } from "node:net";
import { CliError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";
import { parseAddress } from "./address.ts";

const triesMax = 3;
/** Three tries and two pauses stay below five seconds, so that a script learns soon. */
const tryTimeoutMs = 1_200;
const pausesMs = [300, 700] as const;

/** Waits until something listens at one of these, and says where; or says in words why nothing does. */
export async function reach(addresses: readonly string[]): Promise<string> {
  const beganMs = Date.now();
  let cause = "";
  for (let attempt = 0; attempt < triesMax; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, pausesMs[attempt - 1]));
    const failures = await Promise.all(addresses.map((address) => failureAt(address)));
    const found = addresses[failures.indexOf(undefined)];
    if (found !== undefined) return found;
    cause = failures[0] ?? "";
  }
  throw unreachable(addresses.join(","), cause, triesMax, Date.now() - beganMs);
}

/** Why nothing answers there; undefined if something does. */
export async function failureAt(address: string): Promise<string | undefined> {
  const place = parseAddress(address);
  if (!place) throw new CliError(exitCode.usage, `no address: ${address}`);
  return tryOnce(place.host, place.port);
}

export function unreachable(address: string, cause: string, tries: number, tookMs: number): CliError {
  const seconds = (tookMs / 1_000).toFixed(tookMs < 950 ? 1 : 0);
  return new CliError(
    exitCode.unreachable,
    `no leader at ${address} (${cause}, ${tries} tries, ${seconds} s). Is a master running?`,
    { kind: "unavailable", hint: "muster dev, or set MUSTER_ADDR" },
  );
}

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "unknown host",
  EAI_AGAIN: "the name does not resolve now",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
};

function tryOnce(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (failure: string | undefined): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.setTimeout(tryTimeoutMs, () => end("no answer"));
    socket.on("connect", () => end(undefined));
    socket.on("error", (error: NodeJS.ErrnoException) => end(causes[error.code ?? ""] ?? error.message));
  });
}
