import { createHash } from "node:crypto";

/** The 20 bytes of SHA-1 of a text in UTF-8. Short names are cut from it; nothing secret depends on it. */
export function sha1(text: string): Uint8Array {
  return createHash("sha1").update(text, "utf8").digest();
}
