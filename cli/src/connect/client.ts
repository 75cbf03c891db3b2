import {
  emptyMessage,
  grpcTransport,
  type Inlet,
  type MessageName,
  type MethodName,
  type MusterError,
  type Outlet,
  type RequestOf,
  type ResponseOf,
} from "@muster/foundation";
import type { Messages } from "@muster/proto";
import type { Invocation } from "../command.ts";
import { masterAddress } from "./address.ts";
import { reach } from "./reach.ts";

const callTimeoutMs = 10_000;

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
  open<M extends MethodName>(method: M, inlet: Inlet<ResponseOf<M>>): Outlet<RequestOf<M>>;
  close(): void;
}

/** A client of a master, without asking whether it is there. */
export function clientAt(address: string): Client {
  const transport = grpcTransport();
  return {
    address,
    call: (method, request, timeoutMs = callTimeoutMs) =>
      new Promise((resolve, reject) => {
        transport.call(method, address, request, timeoutMs, (result) =>
          result.ok ? resolve(result.value) : reject(result.error),
        );
      }),
    follow: (method, request, receive) => {
      let cancel = (): void => {};
      const ended: Ended = new Promise((resolve) => {
        const stop = transport.follow(method, address, request, {
          receive,
          drained: () => {},
          closed: (error) => resolve(error),
        });
        cancel = () => {
          stop();
          resolve(undefined);
        };
      });
      return { ended, cancel: () => cancel() };
    },
    open: (method, inlet) => transport.open(method, address, inlet),
    close: () => transport.close(),
  };
}

/** Connects to the master that the invocation means, does the work, and lets go. */
export async function withClient<T>(invocation: Invocation, work: (client: Client) => Promise<T>): Promise<T> {
  const address = masterAddress(invocation);
  await reach(address);
  const client = clientAt(address);
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
