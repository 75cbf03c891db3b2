import { expect, test } from "vitest";
import { taskFolders } from "../agent/folders.ts";
import { placeOf } from "./destination.ts";

const folders = taskFolders("/data", "g-1.0");
const { work, shared } = folders;

test.each([
  ["", { root: work, names: ["local"] }],
  ["local/app", { root: work, names: ["local", "app"] }],
  ["./a//b/", { root: work, names: ["a", "b"] }],
  ["/local/x", { root: work, names: ["local", "x"] }],
  [`${folders.local}/x`, { root: work, names: ["local", "x"] }],
  ["alloc/data", { root: shared, names: ["data"] }],
  ["/alloc", { root: shared, names: [] }],
  ["../alloc/x", { root: shared, names: ["x"] }],
  [`${shared}/x`, { root: shared, names: ["x"] }],
])("%s lies in the task's folders", (destination, place) => {
  expect(placeOf(destination, folders)).toEqual(place);
});

test.each(["../x", "local/../../x", "../../alloc/x", `${work}/../../x`, "alloc/../x", "a\0b"])(
  "%s does not",
  (text) => {
    expect(placeOf(text, folders)).toMatch(/^destination: /);
  },
);
