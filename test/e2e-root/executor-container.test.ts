import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { containersHere } from "./containers.ts";
import { testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const fixture = AgentFixture.use(beforeEach, afterEach);

/** Says once for each life of the agent that its socket answers. */
const knocks = `
  use Socket; $| = 1; print "$ENV{MUSTER_EXECUTOR_ID} as $< in $ENV{MUSTER_SANDBOX}\\n";
  while (1) {
    socket(my $agent, PF_UNIX, SOCK_STREAM, 0);
    if (connect($agent, pack_sockaddr_un($ENV{MUSTER_AGENT_SOCKET}))) {
      print "connected\\n";
      1 while sysread($agent, my $bytes, 4096);
      print "ended\\n";
    }
    select(undef, undef, undef, 0.05);
  }`;

testUnless(
  host ? "" : reason,
  "a custom executor in a container without a network reaches the agent's socket, also that of the agent's next life",
  async () => {
    if (!host) return;
    const agent = await fixture.agentWithContainers(host);
    fixture.master.launch({
      taskId: "self",
      executor: { executorId: "x" },
      isExecutor: true,
      networkMode: "none",
      resources: { cpuMillis: 100, memoryMiB: 64 },
      spec: { driver: "exec", command: "perl", arguments: ["-e", knocks] },
    });
    await fixture.master.untilState("self", TaskState.TASK_RUNNING);
    const lines = (): string[] => fixture.outputOf("self").trim().split("\n");
    await expect.poll(lines, { timeout: 5_000 }).toEqual(["x as 65534 in /", "connected"]);
    await fixture.stop(agent, "leave");
    await expect.poll(lines, { timeout: 5_000 }).toEqual(["x as 65534 in /", "connected", "ended"]);
    await fixture.agentWithContainers(host);
    await expect.poll(lines, { timeout: 5_000 }).toEqual(["x as 65534 in /", "connected", "ended", "connected"]);
  },
);
