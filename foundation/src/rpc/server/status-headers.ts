import type { OutgoingHttpHeaders } from "node:http2";
import { detailsKey, grpcStatusOf } from "../../errors/grpc-status.ts";
import type { MusterError } from "../../errors/muster-error.ts";

const good: OutgoingHttpHeaders = { "grpc-status": "0" };

/** Many callers may be refused for one reason, when thousands come back at once: what they are told is made once. */
const known = new WeakMap<MusterError, OutgoingHttpHeaders>();

/** How a call ends, as the headers after its last message; undefined: well. */
export function statusHeaders(error: MusterError | undefined): OutgoingHttpHeaders {
  if (error === undefined) return good;
  let headers = known.get(error);
  if (headers === undefined) {
    const { code, message, bytes } = grpcStatusOf(error);
    headers = {
      "grpc-status": String(code),
      "grpc-message": percentEncoded(message),
      [detailsKey]: bytes.toString("base64"),
    };
    known.set(error, headers);
  }
  return headers;
}

/** As gRPC wants texts in headers. What is no Unicode is left out. */
function percentEncoded(text: string): string {
  try {
    return encodeURI(text);
  } catch {
    return encodeURI(text.replace(/[\ud800-\udfff]/g, ""));
  }
}
