import { type AddressInfo, createServer } from "node:net";
import { silentLog, systemClock } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostWorld } from "../host-world.ts";
import { parseHostNetworks } from "../ports/host-networks.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

const fixture = AgentFixture.use(beforeEach, afterEach);
const { TASK_FINISHED, TASK_DROPPED } = TaskState;

test("a port is tried on the address of its network alone, and the master is told which networks there are", async () => {
  const hostNetworks = parseHostNetworks("near=127.0.0.0/8,far=no-such-link", "hostNetworks");
  const options = { dataFolder: fixture.dataFolder, clock: systemClock, log: silentLog, hostNetworks };
  await fixture.agent({}, hostWorld(options));
  const { master } = fixture;
  const told = () => master.requests.flatMap(({ update }) => (update ? [update.attributes] : []));
  await master.until(() => told().length > 0, "an update");
  expect(told()[0]?.filter(({ name }) => name.startsWith("host_network."))).toEqual([
    { name: "host_network.near", value: "127.0.0.1" },
  ]);
  // Somebody else has the number on another address of the host.
  const server = createServer();
  const number = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.2", () => resolve((server.address() as AddressInfo).port)),
  );
  try {
    const spec = { command: "sh", arguments: ["-c", "echo $MUSTER_ADDR_http $NOMAD_IP_http"] };
    const network = { label: "http", number, hostNetwork: "near" };
    master.launch(
      { taskId: "near", ports: [network], spec },
      { taskId: "all", ports: [{ label: "http", number }], spec },
    );
    await master.untilState("near", TASK_FINISHED);
    expect(fixture.outputOf("near")).toBe(`127.0.0.1:${number} 127.0.0.1\n`);
    await master.untilState("all", TASK_DROPPED);
    expect(master.of("all").at(-1)?.reason).toBe(StatusReason.REASON_PORT_IN_USE);
  } finally {
    server.close();
  }
});
