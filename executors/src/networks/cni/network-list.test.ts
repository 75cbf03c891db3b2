import { expect, test } from "vitest";
import { parseNetworkList } from "./network-list.ts";

const text = (fields: object): string => JSON.stringify({ name: "web", cniVersion: "1.0.0", ...fields });

test("a list keeps its plugins in order, with the capabilities that are switched on", () => {
  const plugins = [{ type: "ptp" }, { type: "portmap", capabilities: { portMappings: true, ips: false } }];
  const list = parseNetworkList(text({ plugins }), "file");
  expect(list.plugins.map(({ type, capabilities }) => [type, [...capabilities]])).toEqual([
    ["ptp", []],
    ["portmap", ["portMappings"]],
  ]);
});

test("a file with one plugin is a list of one", () => {
  expect(parseNetworkList(text({ type: "ptp" }), "file").plugins).toHaveLength(1);
});

test.each([
  ["no JSON", "{", "file: is not JSON"],
  ["no object", "[]", "file: must be an object"],
  ["a name with a slash", text({ name: "a/b", type: "ptp" }), 'file: name: "a/b" must have'],
  ["an old version", text({ cniVersion: "0.2.0", type: "ptp" }), 'file: cniVersion: "0.2.0" is none of'],
  ["no plugins", text({ plugins: [] }), "file: plugins: must not be empty"],
  ["a plugin in another folder", text({ plugins: [{ type: "../sh" }] }), 'plugins[0].type: "../sh" is no plugin'],
  ["too many plugins", text({ plugins: Array(33).fill({ type: "ptp" }) }), "has 33 entries, at most 32"],
])("%s is refused with its place", (_, config, message) => {
  expect(() => parseNetworkList(config, "file")).toThrow(message);
});
