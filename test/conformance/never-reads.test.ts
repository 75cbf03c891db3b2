import { connect } from "node:http2";
import { codecOf, emptyMessage } from "@muster/foundation";
import type { Subscription } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cluster, quiet } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

/** A gRPC message as it goes over the wire: not compressed, its length, its bytes. */
function framed(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A framework over a socket of its own that says what it is told to, and never takes anything from the stream. */
function deafFramework(name: string) {
  const session = connect(`http://${cluster.address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": "/muster.v1.Scheduling/Subscribe",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let isOver = false;
  // Without a reader of "data" nothing leaves the stream: its window of 64 KiB fills, and stays full.
  stream.on("close", () => {
    isOver = true;
  });
  stream.on("error", () => {});
  session.on("error", () => {});
  const say = (message: object): void => {
    const bytes = codecOf("SubscribeRequest").encode({ ...emptyMessage("SubscribeRequest"), ...message } as never);
    stream.write(framed(bytes));
  };
  const framework = { ...emptyMessage("FrameworkInfo"), name, roles: ["deaf"] };
  const subscription: Subscription = { framework, frameworkId: "", suppressedRoles: ["deaf"], epochSeen: 0 };
  say({ subscription });
  return { say, isOver: () => isOver, close: () => session.destroy() };
}

test("a framework that never reads its socket is cut off, and the others are offered what comes meanwhile", async () => {
  const bystander = await cluster.framework("bystander");
  const deaf = deafFramework("deaf");
  try {
    const isConnected = async (): Promise<boolean> => {
      const { frameworks } = await cluster.call("Operator.ListFrameworks", {});
      return frameworks.some(({ name, connected }) => name === "deaf" && connected);
    };
    await expect.poll(isConnected, { timeout: 10_000 }).toBe(true);
    // Every question is answered: asking is the cheapest way to be sent much.
    const questions = Array.from({ length: 20_000 }, (_, index) => ({ taskId: `t-${index}`, agentId: "" }));
    for (let round = 0; round < 20 && (await isConnected()); round++) {
      deaf.say({ reconciles: [{ reconcileId: `r-${round}`, tasks: questions }] });
      await cluster.agent(`a-${round}`);
      expect((await bystander.offer()).agentId).toBe(`a-${round}`);
    }
    expect(await isConnected()).toBe(false);
  } finally {
    deaf.close();
  }
});
