import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage, resources } from "@muster/foundation";
import { type AgentOperation, type TaskSpec, TaskState, type VolumeMount } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { HostFacts } from "../../executors/src/agent/config.ts";
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

testUnless(
  host ? "" : reason,
  "a container finds a folder of the host that was declared, and writes to none that is only to be read",
  async () => {
    if (!host) return;
    const folder = mkdtempSync(join(tmpdir(), "muster-volume-"));
    chmodSync(folder, 0o777);
    const hostVolumes = [{ name: "data", folder, isReadOnly: false }];
    const plain = fixture.configWith({ hostVolumes }).host;
    const drivers = ["process", "exec"];
    try {
      await fixture.agentWithContainers(host, ["host", "none"], {}, { host: { ...plain, drivers } as HostFacts });
      const at = (destination: string, readOnly: boolean) => ({ source: "data", volume: "d", destination, readOnly });
      const text = "echo kept > /w/file; cat /r/file; (echo more >> /r/file) 2>/dev/null || echo refused";
      const spec = { ...script(text), hostMounts: [at("/w", false), at("/r", true)] };
      fixture.master.launch({ taskId: "both", spec });
      await fixture.master.untilState("both", TASK_FINISHED);
      expect(fixture.outputOf("both")).toBe("kept\nrefused\n");
      expect(readFileSync(join(folder, "file"), "utf8")).toBe("kept\n");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
