import { invalid, type StreamHandler } from "@muster/foundation";
import type { Loop } from "../loop.ts";
import type { Sessions } from "../sessions.ts";

/** Sessions of agents: their messages become inputs of the loop. */
export function serveAgents(loop: () => Loop, sessions: Sessions): StreamHandler<"Agents.Connect"> {
  return (outlet) => {
    const serving = loop();
    const connection = sessions.openAgent(
      outlet,
      () => serving.core.state.epoch,
      (lost) => serving.post({ type: "agent-closed", connection: lost }),
    );
    let registering = false;
    return {
      receive: (message) => {
        if (!sessions.has(connection)) return;
        if (registering) {
          serving.post({ type: "agent-message", connection, message });
          return;
        }
        const { registration } = message;
        if (registration === null) {
          sessions.end(connection, invalid("registration", "must be in the first message"));
          return;
        }
        registering = true;
        serving.post({ type: "agent-opened", connection, registration });
        message.registration = null;
        serving.post({ type: "agent-message", connection, message });
      },
      drained: () => sessions.drained(connection),
      closed: () => {
        sessions.forget(connection);
        serving.post({ type: "agent-closed", connection });
      },
    };
  };
}
