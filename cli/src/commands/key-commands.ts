import type { ArgumentSpec, CommandSpec } from "../command.ts";
import { callExits } from "./exits.ts";

const path: ArgumentSpec = { name: "<path>", help: "its path, for instance app/color" };

/** Commands about keys: texts that templates of jobs ask for. */
export const keyCommands: readonly CommandSpec[] = [
  {
    path: "key list",
    summary: "list keys",
    details: "What stands in them is not shown.",
    arguments: [{ name: "[folder]", help: "only those below it" }],
    options: [],
    examples: ["key list", "key list app", "key list app --json"],
    capability: "state:read",
    exits: callExits,
    schema: "muster.key.list/1",
    load: () => import("./key/list.ts"),
  },
  {
    path: "key get",
    summary: "print what stands in a key",
    arguments: [path],
    options: [],
    examples: ["key get app/color", "key get app/color --json", "key get app/tls/chain.pem > chain.pem"],
    capability: "state:read",
    exits: callExits,
    schema: "muster.key.get/1",
    load: () => import("./key/get.ts"),
  },
  {
    path: "key set",
    summary: 'set a key, as {{ key "PATH" }} in templates gives it',
    details:
      "Tasks whose templates ask for it are told at once. Keys are kept in the master's store as they are:\n" +
      "whoever may read it can read them. What stands in arguments is seen by everybody on this host: - reads a pipe.",
    arguments: [path, { name: "<value>", help: "the text, at most 256 KiB; - reads it from standard input" }],
    options: [{ flags: "--check-version <version>", help: "only if it is at this version; 0: only if it is new" }],
    examples: [
      "key set app/color blue",
      "key set app/tls/chain.pem - < chain.pem",
      "key set app/color red --check-version 3",
    ],
    capability: "state:write",
    exits: callExits,
    schema: "muster.key.set/1",
    load: () => import("./key/set.ts"),
  },
  {
    path: "key delete",
    summary: "delete a key",
    details: "Files of tasks that were made of it stay as they are; tasks that start wait for it.",
    arguments: [path],
    options: [{ flags: "-y, --yes", help: "do not ask" }],
    examples: ["key delete app/color", "key delete app/color --yes", "key delete app/color --yes --json"],
    capability: "state:write",
    exits: callExits,
    schema: "muster.key.delete/1",
    load: () => import("./key/delete.ts"),
  },
];
