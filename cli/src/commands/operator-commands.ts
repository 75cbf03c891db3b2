import type { CommandSpec } from "../command.ts";
import { callExits, waitExits } from "./exits.ts";

const agentArgument = { name: "<agent>", help: "id or name, or a beginning that only it has" };
const yes = { flags: "-y, --yes", help: "do not ask" };
const dryRun = { flags: "--dry-run", help: "only tell what would be affected" };

/** What operators decide about agents and frameworks. */
export const operatorCommands: readonly CommandSpec[] = [
  {
    path: "agent drain",
    summary: "move all tasks away from an agent",
    details:
      "Nothing of the agent is offered from now on. Frameworks are asked to move their tasks: services starts a\n" +
      "successor elsewhere before it stops an instance, by the job's own update rules. What still runs there at the deadline is ended, with at most the\n" +
      "grace that is given. The agent stays drained, also over its own restarts, until it is reactivated.",
    arguments: [agentArgument],
    options: [
      { flags: "--deadline <duration>", help: "what is left then is ended (default: 1h; 0 means now)" },
      { flags: "--grace <duration>", help: "the most that a task gets to end itself (default: its own kill_timeout)" },
      { flags: "--mark-gone", help: "refuse the agent for ever as soon as it is empty" },
      dryRun,
      yes,
      { flags: "--detach", help: "do not wait" },
      { flags: "--timeout <duration>", help: "stop waiting after so long (default: the deadline and 5m)" },
    ],
    examples: [
      "agent drain agent-1 --deadline 30m",
      "agent drain agent-1 --dry-run",
      "agent drain agent-1 --yes --json",
    ],
    capability: "agent:drain",
    exits: waitExits,
    schema: "muster.agent.drain/1",
    load: () => import("./operate/agent-drain.ts"),
  },
  {
    path: "agent deactivate",
    summary: "offer nothing of an agent any more; its tasks run on",
    arguments: [agentArgument],
    options: [dryRun],
    examples: ["agent deactivate agent-1", "agent deactivate agent-1 --dry-run", "agent deactivate agent-1 --json"],
    capability: "agent:drain",
    exits: callExits,
    schema: "muster.agent.deactivate/1",
    load: () => import("./operate/agent-deactivate.ts"),
  },
  {
    path: "agent reactivate",
    summary: "offer an agent again that was deactivated or drained",
    details: "A drain that is under way is called off; tasks that are being ended already end all the same.",
    arguments: [agentArgument],
    options: [dryRun],
    examples: ["agent reactivate agent-1", "agent reactivate agent-1 --dry-run", "agent reactivate agent-1 --json"],
    capability: "agent:drain",
    exits: callExits,
    schema: "muster.agent.reactivate/1",
    load: () => import("./operate/agent-reactivate.ts"),
  },
  {
    path: "agent gone",
    summary: "give an agent up for ever",
    details:
      "Its tasks are gone at once, so that frameworks replace them. If it ever answers again it is told to end its\n" +
      "tasks and itself; its machine may join as a new agent with an empty data folder.",
    arguments: [agentArgument],
    options: [dryRun, yes],
    examples: ["agent gone agent-1", "agent gone agent-1 --dry-run", "agent gone agent-1 --yes --json"],
    capability: "agent:admin",
    exits: callExits,
    schema: "muster.agent.gone/1",
    load: () => import("./operate/agent-gone.ts"),
  },
  {
    path: "framework teardown",
    summary: "end a framework and all its tasks for ever",
    details:
      "Its id is refused from then on. What it has stored is kept: if its program still runs, it begins anew with that\n" +
      "under another id, so stop it first.",
    arguments: [{ name: "<framework>", help: "id or name, or a beginning that only it has" }],
    options: [dryRun, yes],
    examples: [
      "framework teardown batch",
      "framework teardown batch --dry-run",
      "framework teardown batch --yes --json",
    ],
    capability: "framework:teardown",
    exits: callExits,
    schema: "muster.framework.teardown/1",
    load: () => import("./operate/framework-teardown.ts"),
  },
  {
    path: "maintenance list",
    summary: "list planned maintenance of agents",
    arguments: [],
    options: [],
    examples: ["maintenance list", "maintenance list --json", "maintenance list --address 10.0.0.1:5050"],
    capability: "agent:read",
    exits: callExits,
    schema: "muster.maintenance.list/1",
    load: () => import("./operate/maintenance-list.ts"),
  },
  {
    path: "maintenance add",
    summary: "plan maintenance of an agent",
    details:
      "Offers of the agent say so from now on, and frameworks with something there are asked for it. Jobs move away\n" +
      "before it begins; nothing is ended by force: drain the agent for that.",
    arguments: [agentArgument],
    options: [
      { flags: "--in <duration>", help: "it begins after so long" },
      { flags: "--at <time>", help: "it begins then, for instance 2030-01-31T22:00:00Z" },
      { flags: "--for <duration>", help: "it lasts so long (default: 1h)" },
      dryRun,
    ],
    examples: [
      "maintenance add agent-1 --in 2h --for 30m",
      "maintenance add agent-1 --at 2030-01-31T22:00:00Z",
      "maintenance add agent-1 --in 1h --dry-run",
    ],
    capability: "maint:write",
    exits: callExits,
    schema: "muster.maintenance.add/1",
    load: () => import("./operate/maintenance-add.ts"),
  },
  {
    path: "maintenance cancel",
    summary: "take the windows of an agent out of the plan",
    arguments: [agentArgument],
    options: [dryRun],
    examples: [
      "maintenance cancel agent-1",
      "maintenance cancel agent-1 --dry-run",
      "maintenance cancel agent-1 --json",
    ],
    capability: "maint:write",
    exits: callExits,
    schema: "muster.maintenance.cancel/1",
    load: () => import("./operate/maintenance-cancel.ts"),
  },
  {
    path: "operator check",
    summary: "look whether what must always hold holds",
    details:
      "Asks the master to look at each agent with all that is on it: nothing given away twice, sums that add up, no port\n" +
      "with two holders, nothing offered of what was deactivated. These are the checks of Muster's own simulation.",
    arguments: [],
    options: [],
    examples: ["operator check", "operator check --json", "operator check --address 10.0.0.1:5050"],
    capability: "op:snapshot",
    exits: callExits,
    schema: "muster.operator.check/1",
    load: () => import("./operate/operator-check.ts"),
  },
  {
    path: "operator snapshot",
    summary: "print all that the master knows, a record a line",
    details: "Lines of JSON: the master, agents, frameworks, tasks, offers, overlay networks, maintenance.",
    arguments: [],
    options: [],
    examples: ["operator snapshot", "operator snapshot --json", "operator snapshot --address 10.0.0.1:5050"],
    capability: "op:snapshot",
    exits: callExits,
    schema: "muster.operator.snapshot/1",
    load: () => import("./operate/operator-snapshot.ts"),
  },
];
