import { connect } from "node:net";
import { CliError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";
import { parseAddress } from "./address.ts";

const triesMax = 3;
/** Three tries and two pauses stay below five seconds, so that a script learns soon. */
const tryTimeoutMs = 1_200;
const pausesMs = [300, 700] as const;

/**
 * Waits until something answers at one of these, and says where; or says in words why nothing does. Of one that hangs
 * connections are taken all the same: it is meant only where no other answers.
 */
export async function reach(addresses: readonly string[]): Promise<string> {
  const beganMs = Date.now();
  let cause = "";
  let hanging: string | undefined;
  for (let attempt = 0; attempt < triesMax; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, pausesMs[attempt - 1]));
    const found = await Promise.all(addresses.map(tryOnce));
    const answering = addresses[found.findIndex(({ failure }) => failure === undefined)];
    if (answering !== undefined) return answering;
    hanging = addresses[found.findIndex(({ isListening }) => isListening)];
    if (hanging !== undefined && addresses.length === 1) return hanging;
    cause = found[0]?.failure ?? "";
  }
  if (hanging !== undefined) return hanging;
  throw unreachable(addresses.join(","), cause, triesMax, Date.now() - beganMs);
}

/** Why nothing answers there; undefined if something does. */
export async function failureAt(address: string): Promise<string | undefined> {
  return (await tryOnce(address)).failure;
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

/** What begins every connection in HTTP/2: whoever serves it answers at once. */
const greeting = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

interface Found {
  /** Connections are taken there, if only by the kernel. */
  readonly isListening: boolean;
  /** Why nobody answers; undefined: somebody does. */
  readonly failure: string | undefined;
}

function tryOnce(address: string): Promise<Found> {
  const place = parseAddress(address);
  if (!place) throw new CliError(exitCode.usage, `no address: ${address}`);
  return new Promise((resolve) => {
    const socket = connect(place);
    let isListening = false;
    const end = (failure: string | undefined): void => {
      socket.destroy();
      resolve({ isListening, failure });
    };
    socket.setTimeout(tryTimeoutMs, () => end("no answer"));
    socket.on("connect", () => {
      isListening = true;
      socket.write(greeting);
    });
    socket.on("data", () => end(undefined));
    socket.on("close", () => end("connection closed"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(causes[error.code ?? ""] ?? error.message));
  });
}
