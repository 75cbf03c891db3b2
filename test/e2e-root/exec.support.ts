import { emptyMessage, type HandlerOf, type Outlet } from "@muster/foundation";
import type { ExecResponse } from "@muster/proto";
import type { Agent } from "../../executors/src/agent/agent.ts";

/** What a command beside a task writes. */
export function execIn(agentOfIt: Agent, taskId: string, script: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const outlet: Outlet<ExecResponse> = {
      send: ({ stdout, stderr }) => {
        text += Buffer.concat([stdout, stderr]).toString();
      },
      ready: () => true,
      end: (error) => resolve(error ? error.message : text),
    };
    const inlet = (agentOfIt.handlers["Tasks.Exec"] as HandlerOf<"Tasks.Exec">)(outlet, {
      address: "127.0.0.1",
      principal: "local",
    });
    const command = ["/bin/sh", "-c", script];
    const start = { ...emptyMessage("ExecStart"), taskId, command };
    inlet.receive({ ...emptyMessage("ExecRequest"), start });
  });
}
