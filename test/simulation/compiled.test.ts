import { expect, test } from "vitest";
import { compiled } from "./compiled.ts";

const file = "testing/src/world/trace.ts";
const path = "testing/src/world/world.ts";

type Worlds = typeof import("../../testing/src/world/world.ts");

test("a patched module differs from the one at hand, which stays as it is", async () => {
  const digest = ({ World }: Worlds): string => {
    const world = new World(1);
    world.begin("x");
    return world.trace.digest();
  };
  const here = await import("../../testing/src/world/world.ts");
  const patched = await compiled<Worlds>(path, [{ file, search: "let hash = 0x811c9dc5;", replace: "let hash = 1;" }]);
  expect(digest(patched)).not.toBe(digest(here));
  expect(digest(await compiled<Worlds>(path))).toBe(digest(here));
});

test("a patch whose text is not there, or whose file is not loaded, can't be planted", async () => {
  await expect(compiled(path, [{ file, search: "no such text", replace: "" }])).rejects.toThrow(/0 times/);
  const elsewhere = { file: "cli/src/commands/daemon-commands.ts", search: "import { readFileSync", replace: "" };
  await expect(compiled(path, [elsewhere])).rejects.toThrow(/times instead|not loaded/);
});
