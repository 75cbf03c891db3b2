import { readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { Health, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { IpBatch } from "../../executors/src/networks/kernel/ip-batch.ts";
import { Namespaces } from "../../executors/src/networks/kernel/namespaces.ts";
import { testWith } from "./machine.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED } = TaskState;
const nsfs = 0x6e736673;

function pins(): string[] {
  const prefix = new Namespaces(fixture.dataFolder, new IpBatch()).nameOf("");
  return readdirSync("/run/netns").filter((name) => name.startsWith(prefix));
}

const answering = `
  use Socket;
  for ([PF_INET, pack_sockaddr_in(7777, inet_aton("127.0.0.1"))],
       [PF_INET6, pack_sockaddr_in6(7777, Socket::inet_pton(AF_INET6, "::1"))]) {
    socket(my $server, $_->[0], SOCK_STREAM, 0);
    bind($server, $_->[1]) && listen($server, 1) or die $!;
    socket(my $client, $_->[0], SOCK_STREAM, 0);
    print connect($client, $_->[1]) ? "answers\\n" : "silent\\n";
  }`;

testWith(["ip"], "case 1: in mode none a task sees loopback alone, and both its addresses answer", async () => {
  await fixture.agentWithNets(["host", "none"]);
  const script = `tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; perl -e '${answering}'; hostname; cat /etc/hostname
    grep -c "$(hostname)" /etc/hosts`;
  const spec = { command: "sh", arguments: ["-c", script] };
  fixture.master.launch({ taskId: "web.alone.0.1-1", networkMode: "none", spec });
  await fixture.master.untilState("web.alone.0.1-1", TASK_FINISHED);
  const name = "web-alone-0-1-1";
  expect(fixture.outputOf("web.alone.0.1-1").trim().split("\n")).toEqual(["lo", "answers", "answers", name, name, "1"]);
  await expect.poll(pins).toEqual([]);
});

testWith(["ip"], "an agent that starts again finds the network of a task as it was", async () => {
  const first = await fixture.agentWithNets(["host", "none"]);
  const spec = { command: "sleep", arguments: ["1000"] };
  fixture.master.launch({ taskId: "stays", networkMode: "none", spec });
  await fixture.master.untilState("stays", TASK_RUNNING);
  const [pin = ""] = pins();
  const { ino } = statSync(`/run/netns/${pin}`);
  await fixture.stop(first, "leave");
  await fixture.agentWithNets(["host", "none"]);
  expect(statSync(`/run/netns/${pin}`).ino).toBe(ino);
  fixture.master.kill("stays", 0);
  await fixture.master.untilState("stays", TASK_KILLED);
  await expect.poll(pins).toEqual([]);
});

testWith(
  ["ip"],
  "case 24: a plain file where a pin should be, as a crash leaves it, gives way to a namespace",
  async () => {
    const namespaces = new Namespaces(fixture.dataFolder, new IpBatch());
    await namespaces.ensure("other");
    try {
      writeFileSync(namespaces.pathOf("key"), "");
      expect(await namespaces.ensure("key")).toBe(false);
      expect(statfsSync(namespaces.pathOf("key")).type).toBe(nsfs);
      expect(await namespaces.ensure("key")).toBe(true);
    } finally {
      for (const key of await namespaces.keys()) await namespaces.remove(key);
    }
    expect(pins()).toEqual([]);
  },
);

testWith(
  ["ip"],
  "case 80: a check of a server on the loopback of mode none passes, and fails when it stops",
  async () => {
    const agent = await fixture.agentWithNets(["host", "none"]);
    const serve = 'require("http").createServer((_, r) => r.end()).listen(7000, "127.0.0.1")';
    const common = { name: "", intervalMs: 100, timeoutMs: 2_000, graceMs: 60_000, failuresMax: 2, action: 1 as const };
    const check = { ...common, tcp: { portLabel: "" }, loopbackPort: 7000 };
    const script = `"$0" -e '${serve}' & wait; exec sleep 1000`;
    const spec = { command: "sh", arguments: ["-c", script, process.execPath], healthChecks: [check] };
    fixture.master.launch({ taskId: "inside", networkMode: "none", spec });
    const healthIs = (health: Health) => () => fixture.master.of("inside").at(-1)?.health === health;
    await fixture.master.until(healthIs(Health.HEALTH_HEALTHY), "healthy");
    const { pid } = fixture.master.of("inside").at(-1)?.container ?? {};
    const [server = ""] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    process.kill(Number(server), "SIGKILL");
    await fixture.master.until(healthIs(Health.HEALTH_UNHEALTHY), "unhealthy", 20_000);
    await fixture.stop(agent, "kill");
    await expect.poll(pins).toEqual([]);
  },
);
