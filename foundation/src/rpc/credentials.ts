import type { SecureServerOptions } from "node:http2";
import { ChannelCredentials } from "@grpc/grpc-js";

/** Who we are and whom we believe, for every channel and server of a process: the one place where TLS comes in. */
export interface CredentialsProvider {
  channel(): ChannelCredentials;
  /** Undefined: connections are not encrypted. */
  server(): SecureServerOptions | undefined;
}

/** No encryption and no identity: for loopback. */
export const loopbackCredentials: CredentialsProvider = {
  channel: () => ChannelCredentials.createInsecure(),
  server: () => undefined,
};
