import type { CommandSpec } from "../command.ts";
import { exitCode } from "../exit-codes.ts";
import { callExits, localExits } from "./exits.ts";

/** Commands about the cluster itself. */
export const clusterCommands: readonly CommandSpec[] = [
  {
    path: "agent list",
    summary: "list agents with what they have and use",
    arguments: [],
    options: [],
    examples: ["agent list", "agent list --json", "agent list --address 10.0.0.1:5050"],
    capability: "agent:read",
    exits: callExits,
    schema: "muster.agent.list/1",
    load: () => import("./agent-list.ts"),
  },
  {
    path: "agent status",
    summary: "tell all about one agent",
    details:
      "What it has and what is in use, its attributes, the drivers and networks that work there, and why others do not.",
    arguments: [{ name: "<agent>", help: "id or name, or a beginning that only it has" }],
    options: [],
    examples: ["agent status agent-1", "agent status agent-1 --json", "agent status a"],
    capability: "agent:read",
    exits: callExits,
    schema: "muster.agent.status/1",
    load: () => import("./agent-status.ts"),
  },
  {
    path: "framework list",
    summary: "list frameworks",
    details:
      "OFFERED, USED and DECLINED count offers since the master began. Who only declines is offered less and less often.",
    arguments: [],
    options: [],
    examples: ["framework list", "framework list --json", "framework list --no-color"],
    capability: "framework:read",
    exits: callExits,
    schema: "muster.framework.list/1",
    load: () => import("./framework-list.ts"),
  },
  {
    path: "network list",
    summary: "list overlay networks with the subnets of agents",
    arguments: [],
    options: [],
    examples: ["network list", "network list --json", "network list --address 10.0.0.1:5050"],
    capability: "agent:read",
    exits: callExits,
    schema: "muster.network.list/1",
    load: () => import("./network-list.ts"),
  },
  {
    path: "offers",
    summary: "list offers on their way",
    arguments: [],
    options: [],
    examples: ["offers", "offers --json", "offers --no-color"],
    capability: "agent:read",
    exits: callExits,
    schema: "muster.offers/1",
    load: () => import("./offers.ts"),
  },
  {
    path: "dns",
    summary: "ask the cluster's DNS server",
    details:
      "A short name is completed: web means web.services.muster, _http._web._tcp its SRV records.\n" +
      "Without a name it lists the names of all tasks that can be found.",
    arguments: [{ name: "[name]", help: "service or full name" }],
    options: [
      { flags: "-t, --type <type>", help: "A, AAAA, SRV, SOA, NS, TXT or PTR; by default what fits the name" },
      {
        flags: "--server <host:port>",
        help: "the server (MUSTER_DNS_ADDR; default: port 8053 of the master's host, shifted as the master's port)",
      },
      { flags: "--domain <domain>", help: "the cluster's domain", default: "muster" },
      { flags: "--tcp", help: "ask over TCP" },
    ],
    examples: ["dns hello", "dns _http._hello._tcp --json", "dns -t A hello.services.muster"],
    capability: "none",
    exits: [exitCode.done, exitCode.failed, exitCode.usage, exitCode.unreachable],
    schema: "muster.dns/1",
    load: () => import("./dns.ts"),
  },
  {
    path: "version",
    summary: "print the version",
    arguments: [],
    options: [],
    examples: ["version", "version --json", "--version"],
    capability: "none",
    exits: localExits,
    schema: "muster.version/1",
    load: () => import("./version.ts"),
  },
  {
    path: "dev",
    summary: "run a whole cluster on this machine until Ctrl-C",
    details:
      "Starts a master, agents, the frameworks services and cron, DNS and the dashboard, each as a process of its own,\n" +
      "restarts what dies, and runs jobspecs/examples/hello.hcl as a first job. Started again it finds its jobs.",
    arguments: [],
    options: [
      { flags: "--data-dir <folder>", help: "where all is kept (MUSTER_DATA_DIR; default: .muster)" },
      { flags: "--port-offset <n>", help: "add n to every port, so that two clusters fit on a machine", default: "0" },
      { flags: "--agents <n>", help: "so many agents", default: "1" },
      { flags: "--no-example", help: "do not run the example job" },
      { flags: "--ready-file <file>", help: "write addresses and process ids there once all is ready" },
      { flags: "--timeout <duration>", help: "give up the start after so long", default: "60s" },
    ],
    examples: ["dev", "dev --agents 3 --no-example", "dev --data-dir /tmp/two --port-offset 100"],
    capability: "none",
    exits: [exitCode.done, exitCode.failed, exitCode.usage, exitCode.timeout],
    outlivesReader: true,
    schema: "muster.dev/1",
    load: () => import("./dev.ts"),
  },
];
