import { type Clock, invalid, MusterError, type StreamHandler } from "@muster/foundation";
import { limits } from "../core/limits.ts";
import type { Loop } from "../loop.ts";
import type { Sessions } from "../sessions.ts";

/** Sessions of frameworks: their messages become inputs of the loop. */
export function serveScheduling(
  loop: () => Loop,
  sessions: Sessions,
  clock: Clock,
): StreamHandler<"Scheduling.Subscribe"> {
  return (outlet, peer) => {
    const serving = loop();
    const connection = sessions.openFramework(
      outlet,
      () => serving.core.state.epoch,
      (lost) => serving.post({ type: "framework-closed", connection: lost }),
    );
    let subscribed = false;
    let secondBeganMs = clock.monotonicMs();
    let messageCount = 0;
    /** Each message costs the master more than its sender: whoever batches never comes near the limit. */
    const floods = (): boolean => {
      if (++messageCount <= limits.messagesPerSecond) return false;
      const nowMs = clock.monotonicMs();
      if (nowMs - secondBeganMs < 1_000) return true;
      secondBeganMs = nowMs;
      messageCount = 1;
      return false;
    };
    return {
      receive: (message) => {
        if (!sessions.has(connection)) return;
        if (floods()) {
          const message = `at most ${limits.messagesPerSecond} messages a second: say more in each`;
          sessions.end(connection, new MusterError("too-many", message, { retryAfterMs: 1_000 }));
          serving.post({ type: "framework-closed", connection });
          return;
        }
        if (subscribed) {
          serving.post({ type: "framework-message", connection, message });
          return;
        }
        const { subscription } = message;
        if (subscription === null) {
          sessions.end(connection, invalid("subscription", "must be in the first message"));
          return;
        }
        subscribed = true;
        serving.post({ type: "framework-opened", connection, principal: peer.principal, subscription });
        message.subscription = null;
        serving.post({ type: "framework-message", connection, message });
      },
      drained: () => sessions.drained(connection),
      closed: () => {
        sessions.forget(connection);
        serving.post({ type: "framework-closed", connection });
      },
    };
  };
}
