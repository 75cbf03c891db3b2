import type { VNode } from "preact";
import { formatSpan } from "../core/format.ts";
import type { Connection, Feed } from "../feed.ts";
import { now } from "./surroundings.ts";

/** Says that what is shown is old, how old, and when the next try is. */
export function Banner({ feed }: { feed: Feed }): VNode {
  const connection = feed.connection.value;
  return (
    <div class="banner-place" role="alert">
      {connection.name === "lost" && <Lost connection={connection} feed={feed} />}
    </div>
  );
}

function Lost({ connection, feed }: { connection: Extract<Connection, { name: "lost" }>; feed: Feed }): VNode {
  const known = feed.view.value !== undefined;
  return (
    <div class="banner">
      <p>
        <strong>Connection lost, retrying.</strong>{" "}
        {known ? (
          <span aria-live="off">
            What you see is {formatSpan(Math.max(1_000, now.value - connection.since))} old. Tasks run on meanwhile.
          </span>
        ) : (
          <span>
            No master answers yet. Is one running? Start a cluster with <code>muster dev</code>.
          </span>
        )}
        <span class="faint why">{connection.why}</span>
      </p>
      <button type="button" onClick={() => feed.retryNow()}>
        Try now
      </button>
    </div>
  );
}
