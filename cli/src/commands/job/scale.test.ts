import { expect, test } from "vitest";
import { parseScale } from "./scale.ts";

test.each([
  [["web=5"], { name: "web", group: "", count: 5 }],
  [["web/front=5"], { name: "web", group: "front", count: 5 }],
  [["web", "5"], { name: "web", group: "", count: 5 }],
  [["web", "front", "5"], { name: "web", group: "front", count: 5 }],
])("%j scales %j", (words, meant) => {
  expect(parseScale(words)).toEqual(meant);
});

test.each([[["web"]], [["web", "many"]], [["web=5", "6"]], [["web=-1"]], [["web", "a", "5", "6"]]])(
  "%j is no way to scale",
  (words) => {
    expect(() => parseScale(words)).toThrow("a job and a count are needed");
  },
);
