import { expect, test } from "vitest";
import { askReference, crossCheck } from "./reference.ts";

/** A machine under load takes long to load the grammar. */
const patientMs = 15_000;

test("the reference accepts and rejects", async () => {
  expect(await askReference("a = 1\n", patientMs)).toBe("accept");
  expect(await askReference("a = \n", patientMs)).toBe("reject");
});

test("a text that blocks the reference is given up at the deadline", async () => {
  const text = `a = ${"[".repeat(2000)}${"]".repeat(2000)}\n`;
  expect(["too-late", "crashed"]).toContain(await askReference(text, 1000));
});

test("the cross check is silent where both agree, and where ours refuses already", async () => {
  expect(await crossCheck({ file: "a.hcl", text: "a = 1\n" })).toEqual([]);
  expect(await crossCheck({ file: "a.hcl", text: "a = \n" })).toEqual([]);
});
