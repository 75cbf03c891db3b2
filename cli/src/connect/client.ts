import {
  emptyMessage,
  grpcTransport,
  type Inlet,
  isStandby,
  Masters,
  type MessageName,
  type MethodName,
  type MusterError,
  type Outlet,
  type RequestOf,
  type ResponseOf,
  type Result,
  standbyRetryMs,
} from "@muster/foundation";
import type { Messages } from "@muster/proto";
import type { Invocation } from "../command.ts";
import { masterAddresses } from "./address.ts";
import { failureAt, reach } from "./reach.ts";

const callTimeoutMs = 10_000;
/** A master that stands by is asked no longer than an election may take. */
const electionMsMax = 15_000;

/** How a followed stream ended; without an error if the server ended it in good order. */
export type Ended = Promise<MusterError | undefined>;

/** What commands use of the cluster: promises over the transport that all components share. */
export interface Client {
  readonly address: string;
  call<M extends MethodName>(method: M, request: RequestOf<M>, timeoutMs?: number): Promise<ResponseOf<M>>;
  follow<M extends MethodName>(
    method: M,
    request: RequestOf<M>,
    receive: (message: ResponseOf<M>) => void,
  ): { readonly ended: Ended; cancel(): void };
  /** To whichever master has answered last: after a call, that is the leader. */
  open<M extends MethodName>(method: M, inlet: Inlet<ResponseOf<M>>): Outlet<RequestOf<M>>;
  close(): void;
}

/** A client of the master that leads among these, without asking whether it is there. The first is asked first. */
export function clientAt(addresses: readonly string[]): Client {
  const transport = grpcTransport();
  const masters = new Masters(addresses);
  const once = <M extends MethodName>(method: M, request: RequestOf<M>, timeoutMs: number) =>
    new Promise<Result<ResponseOf<M>>>((resolve) => {
      transport.call(method, masters.current, request, timeoutMs, resolve);
    });
  /** On to who leads, after one that stands by has said so; false if there has been time enough for an election. */
  const moveOn = async (error: MusterError, sinceMs: number): Promise<boolean> => {
    if (performance.now() - sinceMs > electionMsMax) return false;
    masters.next(error);
    if (error.leader === undefined) await new Promise((resolve) => setTimeout(resolve, standbyRetryMs));
    // A leader that has just died is named until its time is over: nothing is sent to whoever does not listen.
    else if ((await failureAt(masters.current)) !== undefined) {
      masters.next();
      await new Promise((resolve) => setTimeout(resolve, standbyRetryMs));
    }
    return true;
  };
  return {
    address: addresses.join(","),
    call: async (method, request, timeoutMs = callTimeoutMs) => {
      const sinceMs = performance.now();
      for (;;) {
        const result = await once(method, request, timeoutMs);
        if (result.ok) return result.value;
        if (!isStandby(result.error) || !(await moveOn(result.error, sinceMs))) throw result.error;
      }
    },
    follow: (method, request, receive) => {
      let cancel = (): void => {};
      let isCancelled = false;
      const sinceMs = performance.now();
      const ended: Ended = new Promise((resolve) => {
        const begin = (): void => {
          const stop = transport.follow(method, masters.current, request, {
            receive,
            drained: () => {},
            closed: async (error) => {
              // Whoever stands by says so first, and nothing else.
              if (error && isStandby(error) && (await moveOn(error, sinceMs)) && !isCancelled) begin();
              else resolve(error);
            },
          });
          cancel = () => {
            isCancelled = true;
            stop();
            resolve(undefined);
          };
        };
        begin();
      });
      return { ended, cancel: () => cancel() };
    },
    open: (method, inlet) => transport.open(method, masters.current, inlet),
    close: () => transport.close(),
  };
}

/** Connects to the master that the invocation means, does the work, and lets go. */
export async function withClient<T>(invocation: Invocation, work: (client: Client) => Promise<T>): Promise<T> {
  const addresses = masterAddresses(invocation);
  const first = await reach(addresses);
  const client = clientAt([first, ...addresses.filter((address) => address !== first)]);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** A message with the given fields set and the others at their defaults. */
export function message<N extends MessageName>(name: N, fields: Partial<Messages[N]> = {}): Messages[N] {
  return { ...emptyMessage(name), ...fields };
}
