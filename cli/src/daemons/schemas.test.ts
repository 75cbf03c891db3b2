import { flagKey } from "@muster/foundation";
import { expect, test } from "vitest";
import { daemonCommands } from "../commands/daemon-commands.ts";
import { schemas } from "./schemas.ts";

const ownFlags = ["config", "supervised"];

test.each(Object.entries(schemas))(
  "every setting of %s is a flag of its command, and the other way round",
  (name, schema) => {
    const spec = daemonCommands.find(({ path }) => path === `daemon ${name}`);
    const flags = (spec?.options ?? []).map(({ flags: text }) => /--([a-z0-9-]+)/.exec(text)?.[1] ?? "");
    const settings = Object.keys(schema).map(flagKey);
    expect(flags.filter((flag) => !ownFlags.includes(flag)).sort()).toEqual(settings.sort());
  },
);
