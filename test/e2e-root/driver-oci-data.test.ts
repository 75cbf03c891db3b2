import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyMessage, isTerminal, resources } from "@muster/foundation";
import { type AgentOperation, type TaskSpec, TaskState, TemplateChange } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { HostFacts } from "../../executors/src/agent/config.ts";
import { artifactDefaults } from "../../executors/src/artifacts/limits.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import { baseLayer, imageTools, Layout } from "./images.support.ts";
import { lacking, testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const lack = host ? lacking(...imageTools) : reason;
let dataFolder = "";
afterEach(() => expect.poll(() => kernelObjects(dataFolder), { timeout: 10_000 }).toEqual([]));
const fixture = AgentFixture.use(beforeEach, afterEach);
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

const folder = mkdtempSync(join(tmpdir(), "muster-oci-data-"));
const shown = join(folder, "shown");
const served = join(folder, "served");
const layout = new Layout(join(folder, "layout"));
beforeAll(() => {
  if (lack !== "") return;
  chmodSync(folder, 0o755);
  for (const one of [shown, served]) {
    mkdirSync(one);
    chmodSync(one, 0o777);
  }
  writeFileSync(join(shown, "given"), "of the host\n");
  writeFileSync(join(served, "app"), "fetched\n");
  layout.add("base", { layers: [baseLayer()], config: { Entrypoint: ["/bin/sh", "-c"], Env: ["PATH=/bin"] } });
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function agentWithData(): Promise<void> {
  if (!host) throw new Error(reason);
  const hostVolumes = [
    { name: "data", folder: shown, isReadOnly: false },
    { name: "sealed", folder: shown, isReadOnly: true },
  ];
  const plain = fixture.configWith({ hostVolumes }).host;
  const facts = { ...plain, drivers: ["process", "exec", "oci"] } as HostFacts;
  const artifacts = { ...artifactDefaults, folders: [served] };
  const options = { hasImages: true, registries: { authFile: "", insecureRegistries: [] }, artifacts };
  await fixture.agentWithContainers(host, ["host", "none"], options, { host: facts });
}

const script = (command: string, more: Partial<TaskSpec> = {}): Partial<TaskSpec> => ({
  driver: "oci",
  command,
  driverConfigJson: JSON.stringify({ image: `oci:${layout.folder}:base` }),
  ...more,
});

async function end(taskId: string): Promise<string> {
  const last = () => fixture.master.of(taskId).at(-1);
  await fixture.master.until(() => isTerminal(last()?.state ?? TaskState.TASK_STAGING), `end of ${taskId}`, 60_000);
  return `${last()?.state === TaskState.TASK_FINISHED ? "finished" : "failed"} ${last()?.message}`;
}

const timeoutMs = 120_000;

testUnless(
  lack,
  "a container from an image sees what was fetched and made for it, and writes through to a folder of the host",
  async () => {
    await agentWithData();
    const at = (destination: string, readOnly: boolean) => ({ source: "data", volume: "d", destination, readOnly });
    const template = {
      ...emptyMessage("TemplateFile"),
      destination: "local/made",
      change: TemplateChange.TEMPLATE_CHANGE_NONE,
      text: 'made for {{ env "MUSTER_TASK_NAME" }}\n',
    };
    const text =
      "cat /local/app /local/made /r/given; echo kept > /w/written; (echo x > /r/other) 2>/dev/null || echo refused";
    const spec = script(text, {
      artifacts: [{ ...emptyMessage("Artifact"), source: join(served, "app") }],
      templates: [template],
      hostMounts: [at("/w", false), at("/r", true)],
    });
    fixture.master.launch({ taskId: "sees", spec });
    expect(await end("sees")).toBe("finished ");
    expect(fixture.outputOf("sees")).toBe("fetched\nmade for sees\nof the host\nrefused\n");
    expect(readFileSync(join(shown, "written"), "utf8")).toBe("kept\n");
    const sealed = [{ source: "sealed", volume: "s", destination: "/s", readOnly: false }];
    fixture.master.launch({ taskId: "writes", spec: script("echo x > /s/other", { hostMounts: sealed }) });
    expect(await end("writes")).toMatch(/may only be read on this agent/);
  },
  timeoutMs,
);

testUnless(
  lack,
  "a container from an image finds in its volume what another left there, and in its folders what its predecessor did",
  async () => {
    await agentWithData();
    const reserved = { reservationId: "r-1", role: "web", resources: resources({ diskMiB: 100 }) };
    const volume = { volumeId: "v", reservationId: "r-1", diskMiB: 50 };
    const operations: Partial<AgentOperation>[] = [
      { operationId: "o-1", reserve: { ...emptyMessage("Reservation"), ...reserved }, kind: "reserve" },
      { operationId: "o-2", createVolume: { ...emptyMessage("Volume"), ...volume }, kind: "createVolume" },
    ];
    fixture.master.say({ operations: operations as AgentOperation[] });
    const volumes = [{ volumeId: "v", name: "data" }];
    const mounted = (readOnly: boolean): Partial<TaskSpec> => ({
      volumeMounts: [{ volume: "data", destination: "/data", readOnly }],
      onlyNamedVolumes: true,
    });
    const writes = script("echo volume > /data/f; echo local > /local/f; echo shared > /alloc/f", mounted(false));
    fixture.master.launch({ taskId: "first", name: "main", spec: writes, volumes });
    expect(await end("first")).toBe("finished ");
    const reads = script(
      "cat /data/f /local/f /alloc/f; (echo x > /data/f) 2>/dev/null || echo refused",
      mounted(true),
    );
    const others = [
      { taskId: "side", spec: script("ls /volumes/data /data 2>/dev/null || echo none", { onlyNamedVolumes: true }) },
    ];
    fixture.master.launch({
      ...{ taskId: "second", name: "main", spec: reads, volumes, others },
      predecessorLaunchId: "launch-first",
    });
    expect(await end("second")).toBe("finished ");
    expect(await end("side")).toBe("finished ");
    expect(fixture.outputOf("second")).toBe("volume\nlocal\nshared\nrefused\n");
    expect(fixture.outputOf("side")).toBe("none\n");
  },
  timeoutMs,
);
