import { expect, test } from "vitest";
import { patchedModules } from "./patched-modules.ts";

const file = "testing/src/world/trace.ts";

test("a patched module differs from the one at hand, which stays as it is", async () => {
  const modules = await patchedModules([{ file, search: "let hash = 0x811c9dc5;", replace: "let hash = 1;" }]);
  const digest = ({
    World,
  }: {
    World: new (seed: number) => { trace: { digest(): string }; begin(name: string): void };
  }): string => {
    const world = new World(1);
    world.begin("x");
    return world.trace.digest();
  };
  const here = await import("../../testing/src/world/world.ts");
  expect(digest(await modules.load("testing/src/world/world.ts"))).not.toBe(digest(here as never));
  await modules.close();
  const unpatched = await patchedModules([]);
  expect(digest(await unpatched.load("testing/src/world/world.ts"))).toBe(digest(here as never));
  await unpatched.close();
});

test("a patch whose text is not there can't be planted", async () => {
  await expect(patchedModules([{ file, search: "no such text", replace: "" }])).rejects.toThrow(/0 times/);
});
