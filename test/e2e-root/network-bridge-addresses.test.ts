import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { parseHostNetworks } from "../../executors/src/ports/host-networks.ts";
import {
  beside,
  get,
  httpServer,
  machineState,
  modes,
  nothing,
  portFirst,
  settings,
  statusOf,
  tools,
  untilListening,
} from "./bridge.support.ts";
import { testWith } from "./machine.ts";

const undoing: (() => void)[] = [];
// Named first, so that it comes last: nothing is left when the agent is gone.
afterEach(() => {
  for (const undo of undoing.splice(0).reverse()) undo();
  expect(machineState(fixture.dataFolder)).toEqual(nothing);
});
const fixture = AgentFixture.use(beforeEach, afterEach);
const [one, two, six] = [`${beside.prefix}.1`, `${beside.prefix}.9`, `${beside.prefix6}:1`];

/** A link of the host with an address of two networks each, and one of IPv6. */
function aLink(): void {
  const link = `mh${process.pid}`;
  const ip = (...words: string[]): void => void execFileSync("ip", words);
  ip("link", "add", link, "type", "bridge");
  undoing.push(() => ip("link", "del", link));
  for (const address of [`${one}/30`, `${two}/30`]) ip("addr", "add", address, "dev", link);
  ip("addr", "add", `${six}/64`, "dev", link, "nodad");
  ip("link", "set", link, "up");
}

async function anAgent() {
  const text = `one=${one}/30,two=${two}/30,six=${six}/128`;
  const hostNetworks = parseHostNetworks(text, "hostNetworks");
  const host = {
    networkModes: modes,
    hostNetworks: Object.entries({ one, two, six }).map(([name, ip]) => ({ name, ip })),
  };
  return await fixture.agentWithNets(modes, fixture.configWith(host), settings, { hostNetworks });
}

async function launchOn(taskId: string, hostNetwork: string): Promise<string> {
  const ports = [{ label: "http", to: 8080, number: portFirst, hostNetwork }];
  fixture.master.launch({ taskId, networkMode: "bridge", ports, spec: httpServer(8080) });
  await untilListening(fixture, taskId);
  return `200 ${statusOf(fixture, taskId)?.container?.pid}`;
}

/** Whether somebody of the host can have a port there. */
function canBind(address: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(portFirst, address, () => server.close(() => resolve(true)));
  });
}

testWith(
  tools,
  "one number leads to another group on each network of the host, and is free on the others",
  async () => {
    aLink();
    const first = await anAgent();
    const answers = { one: await launchOn("a", "one"), six: await launchOn("b", "six") };
    expect(await get(`${one}:${portFirst}`)).toBe(answers.one);
    expect(await get(`[${six}]:${portFirst}`)).toBe(answers.six);
    await expect(get(`${two}:${portFirst}`)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    await expect(get(`127.0.0.1:${portFirst}`)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    expect([await canBind(one), await canBind(six), await canBind(two)]).toEqual([false, false, true]);
    expect(statusOf(fixture, "a")?.container?.ports).toMatchObject([
      { number: portFirst, ip: one, hostNetwork: "one" },
    ]);
    // The next agent finds all as it was, and takes it away when it goes.
    const during = machineState(fixture.dataFolder);
    await fixture.stop(first, "leave");
    await anAgent();
    await fixture.master.until(() => fixture.master.reports.length === 2, "reports");
    expect(machineState(fixture.dataFolder)).toEqual(during);
    expect(await get(`${one}:${portFirst}`)).toBe(answers.one);
    fixture.master.kill("a", 0);
    await fixture.master.untilState("a", TaskState.TASK_KILLED);
    await expect
      .poll(() => machineState(fixture.dataFolder).elements)
      .toEqual([`${six} . tcp . ${portFirst}`, `${six} . udp . ${portFirst}`]);
  },
);
