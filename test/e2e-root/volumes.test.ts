import { chmodSync, readFileSync } from "node:fs";
import { emptyMessage, resources } from "@muster/foundation";
import { type AgentOperation, type TaskSpec, TaskState, type VolumeMount } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { containersHere } from "./containers.ts";
import { testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const { TASK_FINISHED } = TaskState;
const fixture = AgentFixture.use(beforeEach, afterEach);
const uses = [{ volumeId: "v", name: "data" }];

async function agentWithVolume(): Promise<void> {
  if (host) await fixture.agentWithContainers(host);
  const reserved = { reservationId: "r-1", role: "web", resources: resources({ diskMiB: 100 }) };
  const volume = { volumeId: "v", reservationId: "r-1", diskMiB: 50 };
  const operations: Partial<AgentOperation>[] = [
    { operationId: "o-1", reserve: { ...emptyMessage("Reservation"), ...reserved }, kind: "reserve" },
    { operationId: "o-2", createVolume: { ...emptyMessage("Volume"), ...volume }, kind: "createVolume" },
  ];
  fixture.master.say({ operations: operations as AgentOperation[] });
}

function script(text: string, volumeMounts: VolumeMount[] = []): Partial<TaskSpec> {
  return { driver: "exec", command: "sh", arguments: ["-c", text], volumeMounts };
}

testUnless(
  host ? "" : reason,
  "a container has a volume mounted where it says, for reading alone if it says so, and finds what another left there",
  async () => {
    await agentWithVolume();
    const writes = script("echo kept > /volumes/data/file; echo $MUSTER_VOLUME_data");
    fixture.master.launch({ taskId: "writes", spec: writes, volumes: uses });
    await fixture.master.untilState("writes", TASK_FINISHED);
    expect(fixture.outputOf("writes")).toBe("/volumes/data\n");
    expect(readFileSync(`${fixture.dataFolder}/volumes/v/file`, "utf8")).toBe("kept\n");
    chmodSync(`${fixture.dataFolder}/volumes/v/file`, 0o666);
    const mount = { volume: "data", destination: "/srv/data", readOnly: true };
    const reads = script("cat /srv/data/file; (echo more >> /srv/data/file) 2>/dev/null || echo refused", [mount]);
    fixture.master.launch({ taskId: "reads", spec: reads, volumes: uses });
    await fixture.master.untilState("reads", TASK_FINISHED);
    expect(fixture.outputOf("reads")).toBe("kept\nrefused\n");
    expect(readFileSync(`${fixture.dataFolder}/volumes/v/file`, "utf8")).toBe("kept\n");
  },
);
