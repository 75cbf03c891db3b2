import type { CommandSpec, OptionSpec } from "../command.ts";
import { callExits } from "./exits.ts";

const agent = { name: "<agent>", help: "id or name, or a beginning that only it has" };
const dryRun: OptionSpec = { flags: "--dry-run", help: "only say what would be" };
const yes: OptionSpec = { flags: "-y, --yes", help: "do not ask" };
const ofAgent: OptionSpec = { flags: "--agent <agent>", help: "only of this one" };
const ofRole: OptionSpec = { flags: "--role <role>", help: "only for this role and those below it" };

/** Commands about what agents set aside for roles: reservations, and volumes in them. */
export const reservationCommands: readonly CommandSpec[] = [
  {
    path: "reservation list",
    summary: "list what agents have set aside for roles",
    arguments: [],
    options: [ofAgent, ofRole],
    examples: ["reservation list", "reservation list --role eng", "reservation list --json"],
    capability: "role:read",
    exits: callExits,
    schema: "muster.reservation.list/1",
    load: () => import("./reserve/reservation-list.ts"),
  },
  {
    path: "reservation create",
    summary: "set resources of an agent aside for a role and all roles below it",
    details:
      "Amounts as in role quota. What tasks use stays theirs; offers of the agent are taken back where there is not\n" +
      "enough. Done when the agent has it on its disk: it outlives restarts of the agent and of masters. What is reserved\n" +
      "counts as used by the role: towards its fair share, its guarantee and its limit.",
    arguments: [
      agent,
      { name: "<role>", help: "the whole name, for instance eng/ml" },
      { name: "<amounts>", help: "for instance cpu=2,memory=2048,disk=10000" },
    ],
    options: [
      { flags: "--refine <reservation>", help: "take it out of this one, whose role stands above" },
      { flags: "--label <name=value>", help: "kept and shown with it", repeat: true },
      dryRun,
    ],
    examples: [
      "reservation create agent-1 eng cpu=2,memory=2048",
      "reservation create agent-1 eng cpu=2 --dry-run",
      "reservation create agent-1 eng/ml cpu=1 --refine resv-1-1 --json",
    ],
    capability: "role:reserve",
    exits: callExits,
    schema: "muster.reservation.create/1",
    load: () => import("./reserve/reservation-create.ts"),
  },
  {
    path: "reservation delete",
    summary: "give a reservation back to all roles",
    details: "Refused while tasks use it, volumes are in it, or others are refined out of it.",
    arguments: [{ name: "<reservation>", help: "its id" }],
    options: [dryRun],
    examples: [
      "reservation delete resv-1-1",
      "reservation delete resv-1-1 --dry-run",
      "reservation delete resv-1-1 --json",
    ],
    capability: "role:reserve",
    exits: callExits,
    schema: "muster.reservation.delete/1",
    load: () => import("./reserve/reservation-delete.ts"),
  },
  {
    path: "volume list",
    summary: "list volumes, which outlive the tasks that use them",
    arguments: [],
    options: [ofAgent, ofRole],
    examples: ["volume list", "volume list --agent agent-1", "volume list --json"],
    capability: "role:read",
    exits: callExits,
    schema: "muster.volume.list/1",
    load: () => import("./reserve/volume-list.ts"),
  },
  {
    path: "volume create",
    summary: "make an empty volume in what is reserved for a role",
    arguments: [agent, { name: "<volume>", help: "its id, unique on the agent" }],
    options: [
      { flags: "--size <MiB>", help: "how much of the agent's disk it is" },
      { flags: "--role <role>", help: "in the first reservation for this role that has enough" },
      { flags: "--reservation <id>", help: "in this reservation" },
      dryRun,
    ],
    examples: [
      "volume create agent-1 db --size 1024 --role eng",
      "volume create agent-1 db --size 1024 --reservation resv-1-1",
      "volume create agent-1 db --size 1024 --role eng --dry-run",
    ],
    capability: "role:reserve",
    exits: callExits,
    schema: "muster.volume.create/1",
    load: () => import("./reserve/volume-create.ts"),
  },
  {
    path: "volume delete",
    summary: "remove a volume and its data",
    details: "Refused while tasks use it.",
    arguments: [agent, { name: "<volume>", help: "its id" }],
    options: [dryRun, yes],
    examples: [
      "volume delete agent-1 db",
      "volume delete agent-1 db --dry-run",
      "volume delete agent-1 db --yes --json",
    ],
    capability: "role:reserve",
    exits: callExits,
    schema: "muster.volume.delete/1",
    load: () => import("./reserve/volume-delete.ts"),
  },
  {
    path: "volume resize",
    summary: "give a volume that nobody uses another size",
    details: "It grows within its reservation. Data stay; what is larger than a volume ends the task that uses it.",
    arguments: [agent, { name: "<volume>", help: "its id" }],
    options: [{ flags: "--size <MiB>", help: "how much of the agent's disk it is to be" }, dryRun],
    examples: [
      "volume resize agent-1 db --size 2048",
      "volume resize agent-1 db --size 2048 --dry-run",
      "volume resize agent-1 db --size 2048 --json",
    ],
    capability: "role:reserve",
    exits: callExits,
    schema: "muster.volume.resize/1",
    load: () => import("./reserve/volume-resize.ts"),
  },
];
