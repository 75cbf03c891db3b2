import { type ChannelCredentials, Client, type ServiceError, status } from "@grpc/grpc-js";
import { fromGrpcStatus, isStandby, Masters } from "@muster/foundation";

/** Milliseconds between tries to reach a master that is away: the page must come back soon after it. */
export const masterBackoffMsMax = 2_000;
/** A call that masters which stand by have sent away so often has no leader to go to. */
export const redirectsMax = 4;

/** The master that is called: the leader as far as is known, another once it fails or sends callers away. */
export class MasterClients {
  readonly #masters: Masters;
  readonly #credentials: ChannelCredentials;
  #address: string;
  #client: Client;

  constructor(address: string, credentials: ChannelCredentials) {
    this.#masters = new Masters(address);
    this.#credentials = credentials;
    this.#address = this.#masters.current;
    this.#client = this.#connect();
  }

  get current(): Client {
    return this.#client;
  }

  /**
   * A call to `client` has failed: the next goes elsewhere if another master may do better. True if this one did
   * nothing of it, so that the call may be made again.
   */
  failed(client: Client, error: ServiceError): boolean {
    const told = fromGrpcStatus(error);
    const isAway = error.code === status.UNAVAILABLE;
    // Of several calls that fail with one master the first moves on.
    if (isAway && client === this.#client) {
      this.#masters.next(told);
      if (this.#masters.current !== this.#address) {
        this.#address = this.#masters.current;
        // Streams to the former end by themselves, as its own affair.
        client.close();
        this.#client = this.#connect();
      }
    }
    return isStandby(told) && client !== this.#client;
  }

  close(): void {
    this.#client.close();
  }

  #connect(): Client {
    return new Client(this.#address, this.#credentials, {
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": masterBackoffMsMax,
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
    });
  }
}
