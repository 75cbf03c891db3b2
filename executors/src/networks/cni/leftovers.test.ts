import { expect, test } from "vitest";
import { removalOf } from "./leftovers.ts";

test("what one container has left goes with its chain; others' rules and shared chains stay", () => {
  const comment = (id: string): string => `-m comment --comment "name: \\"web\\" id: \\"${id}\\""`;
  const saved = [
    "*nat",
    `-A POSTROUTING -s 10.0.0.2/32 ${comment("a-1")} -j CNI-aaa`,
    `-A POSTROUTING -s 10.0.0.3/32 ${comment("a-10")} -j CNI-bbb`,
    `-A CNI-aaa -d 10.0.0.0/24 ${comment("a-1")} -j ACCEPT`,
    `-A CNI-bbb -d 10.0.0.0/24 ${comment("a-10")} -j ACCEPT`,
    `-A OTHER ${comment("a-1")} -j CNI-HOSTPORT-SETMARK`,
    "COMMIT",
  ].join("\n");
  expect(removalOf(saved, "a-1", "web")).toEqual([
    `-D POSTROUTING -s 10.0.0.2/32 ${comment("a-1")} -j CNI-aaa`,
    `-D OTHER ${comment("a-1")} -j CNI-HOSTPORT-SETMARK`,
    "-F CNI-aaa",
    "-X CNI-aaa",
  ]);
  expect(removalOf(saved, "a-2", "web")).toEqual([]);
  expect(removalOf(saved, "a-1", "storage")).toEqual([]);
});
