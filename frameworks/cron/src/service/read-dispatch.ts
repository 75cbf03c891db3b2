import { invalid } from "@muster/framework-sdk";
import {
  type DispatchRequest,
  idPrefixLengthMax,
  metaLengthMax,
  payloadBytesMax,
  tokenLengthMax,
} from "../core/dispatch.ts";

interface WireDispatch {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly meta: { readonly [name: string]: string };
  readonly idempotencyToken: string;
  readonly idPrefix: string;
}

/** Takes a dispatch from the wire in. Throws `invalid` with the field. */
export function readDispatch({ name, payload, meta, idempotencyToken, idPrefix }: WireDispatch): DispatchRequest {
  if (payload.length > payloadBytesMax)
    throw invalid(
      "payload",
      `must have at most ${payloadBytesMax} bytes, not ${payload.length}: give it where it lies`,
    );
  const metaLength = Object.entries(meta).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (metaLength > metaLengthMax)
    throw invalid("meta", `must have at most ${metaLengthMax} characters in all, not ${metaLength}`);
  if (idempotencyToken.length > tokenLengthMax)
    throw invalid("idempotency_token", `must have at most ${tokenLengthMax} characters`);
  if (!/^[A-Za-z0-9_.-]*$/.test(idPrefix) || idPrefix.length > idPrefixLengthMax)
    throw invalid("id_prefix", `must have at most ${idPrefixLengthMax} characters, letters, digits, ".", "-" and "_"`);
  // What is kept outlives the message that it came in.
  return { jobId: name, payload: Buffer.from(payload), meta: { ...meta }, token: idempotencyToken, idPrefix };
}
