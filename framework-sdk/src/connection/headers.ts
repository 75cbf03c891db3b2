import type { Header } from "@muster/proto";

/** What a message's header says of it: take it in, drop it alone, or drop the connection it came on. */
export type HeaderVerdict = "fresh" | "foreign" | "deposed" | "gap";

/**
 * Watches the headers of a master's messages. The epoch outlives connections: a master that was deposed while we were
 * away must not be listened to again.
 */
export class HeaderCheck {
  #epoch = 0;
  #connection = 0;
  #sequence = 0;
  #isFirst = true;

  /** The highest epoch seen. */
  get epoch(): number {
    return this.#epoch;
  }

  /** A new connection begins. */
  reconnected(): void {
    this.#isFirst = true;
    this.#sequence = 0;
  }

  judge(header: Header | null): HeaderVerdict {
    if (!header) return "gap";
    if (header.epoch < this.#epoch) return "deposed";
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#epoch = header.epoch;
      this.#connection = header.connection;
    } else if (header.epoch !== this.#epoch || header.connection !== this.#connection) return "foreign";
    if (header.sequence !== this.#sequence + 1) return "gap";
    this.#sequence = header.sequence;
    return "fresh";
  }
}
