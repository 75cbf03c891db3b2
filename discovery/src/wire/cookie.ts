export const clientCookieBytes = 8;
/** A cookie of ours with the client's part, as a whole. */
export const cookieBytes = clientCookieBytes + 16;

/** Whether an option has the length of a cookie: the client's part alone, or with a server's of 8 to 32 bytes. */
export function isCookieLength(length: number): boolean {
  return length === clientCookieBytes || (length >= 16 && length <= 40);
}
