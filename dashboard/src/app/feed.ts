import { Code, ConnectError } from "@connectrpc/connect";
import { type Signal, signal } from "@preact/signals";
import { retryDelayMs } from "./core/backoff.ts";
import { applyResponse, type Cluster, noPicture } from "./core/cluster.ts";
import type { OpenWatch } from "./wire/watch.ts";

/** How the page stands to the master. Times are milliseconds since the epoch. */
export type Connection =
  | { readonly name: "connecting" }
  | { readonly name: "live" }
  | { readonly name: "lost"; readonly since: number; readonly retryAt: number; readonly why: string };

/** The cluster at a moment. `cluster` is changed in place; a new view is made for every frame. */
export interface View {
  readonly cluster: Cluster;
}

export interface Feed {
  readonly connection: Signal<Connection>;
  /** Undefined until the first snapshot is whole. */
  readonly view: Signal<View | undefined>;
  /** Tries again at once if it is waiting. */
  retryNow(): void;
}

/** Milliseconds between two frames. */
const frameMs = 100;
/** Milliseconds after which an open, silent watch counts as live: a refusal would have come by then. */
const silenceMs = 1_500;

/** A failure in words for people: `fetch` has none of its own. */
function whyOf(error: unknown): string {
  const { code, rawMessage } = ConnectError.from(error);
  return code === Code.Unknown ? "the server of this page does not answer" : rawMessage;
}

/** Keeps one watch open, for ever: snapshot, changes, and after a loss again from where it stopped. */
export function startFeed(open: OpenWatch): Feed {
  const picture = noPicture();
  const connection = signal<Connection>({ name: "connecting" });
  const view = signal<View | undefined>(undefined);
  let failures = 0;
  let newsAt = Date.now();
  let publishedAt = 0;
  let publishing: ReturnType<typeof setTimeout> | undefined;
  let waiting: { timer: ReturnType<typeof setTimeout>; go: () => void } | undefined;

  const publish = (): void => {
    if (publishing !== undefined) return;
    publishing = setTimeout(
      () => {
        publishing = undefined;
        publishedAt = Date.now();
        if (picture.shown !== undefined) view.value = { cluster: picture.shown };
      },
      Math.max(0, publishedAt + frameMs - Date.now()),
    );
  };
  const isLive = (): void => {
    failures = 0;
    newsAt = Date.now();
    if (connection.value.name !== "live") connection.value = { name: "live" };
  };

  /** Reads until the connection ends; gives back why. */
  const read = async (): Promise<string> => {
    const leaving = new AbortController();
    const silence = setTimeout(() => {
      if (picture.shown !== undefined) isLive();
    }, silenceMs);
    picture.arriving = undefined;
    const { epoch = 0, sequence = 0 } = picture.shown ?? {};
    try {
      for await (const response of open({ epoch, sequence }, leaving.signal)) {
        const applied = applyResponse(picture, response);
        if (applied === "lost") {
          // Nothing that is known can be built upon: what is shown stays until the snapshot is there.
          if (picture.shown !== undefined) picture.shown.epoch = 0;
          return "the master has another history";
        }
        clearTimeout(silence);
        if (picture.shown !== undefined && picture.arriving === undefined) isLive();
        if (applied === "changed") publish();
      }
      return "the master ended the connection";
    } catch (error) {
      return whyOf(error);
    } finally {
      clearTimeout(silence);
      leaving.abort();
    }
  };

  const loop = async (): Promise<never> => {
    for (;;) {
      const why = await read();
      if (connection.value.name === "live") newsAt = Date.now();
      failures += 1;
      const delayMs = retryDelayMs(failures, Math.random());
      connection.value = { name: "lost", since: newsAt, retryAt: Date.now() + delayMs, why };
      await new Promise<void>((go) => {
        waiting = { timer: setTimeout(go, delayMs), go };
      });
      waiting = undefined;
    }
  };
  void loop();
  return {
    connection,
    view,
    retryNow: () => {
      if (waiting === undefined) return;
      clearTimeout(waiting.timer);
      waiting.go();
    },
  };
}
