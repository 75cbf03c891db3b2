import { invalid, type StreamHandler } from "@muster/foundation";
import type { Loop } from "../loop.ts";
import type { Sessions } from "../sessions.ts";

/** Sessions of frameworks: their messages become inputs of the loop. */
export function serveScheduling(loop: () => Loop, sessions: Sessions): StreamHandler<"Scheduling.Subscribe"> {
  return (outlet, peer) => {
    const serving = loop();
    const connection = sessions.openFramework(
      outlet,
      () => serving.core.state.epoch,
      (lost) => serving.post({ type: "framework-closed", connection: lost }),
    );
    let subscribed = false;
    return {
      receive: (message) => {
        if (!sessions.has(connection)) return;
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
