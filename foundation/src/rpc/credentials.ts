import { ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";

/** Who we are and whom we believe, for every channel and server of a process: the one place where TLS comes in. */
export interface CredentialsProvider {
  channel(): ChannelCredentials;
  server(): ServerCredentials;
}

/** No encryption and no identity: for loopback. */
export const loopbackCredentials: CredentialsProvider = {
  channel: () => ChannelCredentials.createInsecure(),
  server: () => ServerCredentials.createInsecure(),
};
