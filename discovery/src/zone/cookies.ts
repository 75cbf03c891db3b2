import { isIP } from "node:net";
import { siphash } from "../digest/siphash.ts";
import { clientCookieBytes } from "../wire/cookie.ts";

/** Version of RFC 9018, and three bytes of nothing. */
const header = Buffer.from([1, 0, 0, 0]);

/**
 * Server cookies of RFC 9018: whoever shows one has been answered at this address, and is no forger. They are made of
 * the client's part, the time and its address under a secret, so that nothing need be remembered.
 */
export class Cookies {
  readonly #secret: Buffer;
  readonly #epochSeconds: () => number;

  constructor(secret: Buffer, epochSeconds: () => number) {
    this.#secret = secret;
    this.#epochSeconds = epochSeconds;
  }

  /** What goes back: the client's part, and a server cookie made now, whatever was shown. */
  answer(shown: Buffer, peer: string): Buffer {
    const client = shown.subarray(0, clientCookieBytes);
    const time = Buffer.alloc(4);
    time.writeUInt32BE(this.#epochSeconds() >>> 0);
    return Buffer.concat([client, header, time, this.#hash(client, time, peer)]);
  }

  #hash(client: Buffer, time: Buffer, peer: string): Buffer {
    return siphash(this.#secret, Buffer.concat([client, header, time, addressBytes(peer)]));
  }
}

function addressBytes(peer: string): Buffer {
  const plain = peer.replace(/^::ffff:/i, "");
  return isIP(plain) === 4 ? Buffer.from(plain.split(".").map(Number)) : Buffer.from(plain.toLowerCase());
}
