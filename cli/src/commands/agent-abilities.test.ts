import { expect, test } from "vitest";
import { message } from "../connect/client.ts";
import { abilitiesOf } from "./agent-abilities.ts";

test("what an agent lacks is told beside what works, with the reason and the command that mends it", () => {
  const record = message("AgentRecord", {
    drivers: ["process"],
    networkModes: ["host", "none"],
    unavailable: [
      "network/bridge: nft was not found: apt-get install nftables",
      "driver/exec: this version lacks it, and crun was not found: apt-get install crun",
      "network/cni: this version of the agent lacks it; use host",
    ],
  });
  expect(abilitiesOf(record).map(({ kind, name, works, reason, mend }) => [kind, name, works, reason, mend])).toEqual([
    ["driver", "process", true, "", ""],
    ["driver", "exec", false, "this version lacks it, and crun was not found", "apt-get install crun"],
    ["network", "host", true, "", ""],
    ["network", "none", true, "", ""],
    ["network", "bridge", false, "nft was not found", "apt-get install nftables"],
    ["network", "cni", false, "this version of the agent lacks it; use host", ""],
  ]);
});
