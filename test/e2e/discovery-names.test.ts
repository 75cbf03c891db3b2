import { afterEach, beforeEach, expect, test } from "vitest";
import { Cluster } from "../conformance/harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

test("case 6: a framework that is named like a part of the cluster is refused", async () => {
  for (const name of ["leader", "master", "agents", "ns1"]) {
    const framework = await cluster.framework(name);
    expect(framework.ended, name).toMatchObject({ kind: "invalid", field: "subscription.framework.name" });
  }
  const services = await cluster.framework("services");
  expect(services.ended).toBeUndefined();
});
