import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import { parseHostNetworks } from "../../executors/src/ports/host-networks.ts";
import {
  beside,
  get,
  httpServer,
  leavesNothing,
  machineState,
  modes,
  portFirst,
  settings,
  statusOf,
  tools,
  untilListening,
} from "./bridge.support.ts";
import { testWith } from "./machine.ts";

const undoing = leavesNothing(afterEach, () => fixture);
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

/** A server of names that knows one, of whatever it is asked: 198.51.100.7. */
async function nameServer(address: string): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address: peer }) => {
    const end = query.indexOf(0, 12) + 5;
    const isA = query.readUInt16BE(end - 4) === 1;
    const head = Buffer.concat([query.subarray(0, 2), Buffer.from([0x85, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0])]);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7]);
    const answer = Buffer.concat([head, query.subarray(12, end), ...(isA ? [record] : [])]);
    socket.send(answer, port, peer);
  });
  await new Promise<void>((resolve) => socket.bind(53, address, resolve));
  undoing.push(() => socket.close());
}

testWith(
  [...tools, "getent"],
  "case 32: where the host asks a resolver on its loopback, tasks ask the one behind it",
  async () => {
    aLink();
    await nameServer(one);
    const files = ["stub", "upstream"].map((name) => join(fixture.dataFolder, name));
    for (const [at, server] of ["127.0.0.53", one].entries()) writeFileSync(files[at] ?? "", `nameserver ${server}\n`);
    await fixture.agentWithNets(modes, {}, settings, { resolverFiles: files });
    const spec = { command: "getent", arguments: ["ahostsv4", "anything.test"] };
    fixture.master.launch({ taskId: "asks", networkMode: "bridge", spec });
    await fixture.master.untilState("asks", TaskState.TASK_FINISHED);
    expect(fixture.outputOf("asks")).toMatch(/^198\.51\.100\.7 /);
  },
);
