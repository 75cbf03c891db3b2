import { gunzipSync, inflateSync } from "node:zlib";
import { MusterError } from "../../errors/muster-error.ts";

/** What callers may compress their messages with. */
export const encodings = "identity,deflate,gzip";

/**
 * A message as it was before its caller compressed it. Nobody of ours does. O(bytes, at most `bytesMax`).
 * @throws MusterError `unsupported`, `invalid` or `too-many`.
 */
export function decompressed(bytes: Buffer, encoding: string, bytesMax: number): Buffer {
  const decompress = encoding === "gzip" ? gunzipSync : encoding === "deflate" ? inflateSync : undefined;
  if (decompress === undefined)
    throw new MusterError("unsupported", `messages compressed by "${encoding}" can't be read: use ${encodings}`);
  try {
    return decompress(bytes, { maxOutputLength: bytesMax });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw new MusterError("too-many", `a message of more than ${bytesMax} bytes when it is decompressed`);
    throw new MusterError("invalid", "a compressed message can't be read", { cause });
  }
}
