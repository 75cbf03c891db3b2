import { expect, test } from "vitest";
import { errorOf, parseResult } from "./result.ts";

const result = (fields: object): string => JSON.stringify({ cniVersion: "1.0.0", ...fields });
const links = [{ name: "veth1" }, { name: "eth0", sandbox: "/run/netns/x" }, { name: "eth1", sandbox: "/run/netns/x" }];

test("the first link inside that has an address is the group's; the host's ends are not", () => {
  const ips = [
    { address: "10.0.0.1/24", interface: 0 },
    { address: "10.0.2.2/24", interface: 2 },
    { address: "10.0.1.2/24", interface: 1 },
    { address: "fd00::2/64", interface: 1 },
  ];
  expect(parseResult(result({ interfaces: links, ips }), "r").ips).toEqual(["10.0.1.2", "fd00::2", "10.0.2.2"]);
});

test("addresses without links, as in old results, are the group's", () => {
  const ips = [{ version: "4", address: "10.0.0.2/24" }];
  expect(parseResult(result({ cniVersion: "0.3.1", ips }), "r").ips).toEqual(["10.0.0.2"]);
});

test("name servers come with their domains", () => {
  const dns = { nameservers: ["10.0.0.53"], domain: "here", options: ["ndots:2"] };
  expect(parseResult(result({ dns }), "r").dns).toEqual({
    servers: ["10.0.0.53"],
    searches: ["here"],
    options: ["ndots:2"],
  });
});

test.each([
  ["nothing", "", "r: is not JSON"],
  ["an unknown version", result({ cniVersion: "9.0.0" }), 'r: cniVersion: "9.0.0" is none of'],
  ["a wrong address", result({ ips: [{ address: "10.0.0.2" }] }), "r: ips[0].address"],
  ["a link that is not there", result({ ips: [{ address: "10.0.0.2/24", interface: 4 }] }), "r: ips[0].interface"],
  ["more than can be", result({ ips: Array(257).fill({}) }), "r: ips: has 257 entries"],
  ["a line of its own for resolv.conf", result({ dns: { search: ["a\nnameserver 1.1.1.1"] } }), "r: dns.search[0]"],
])("%s is refused with its place", (_, text, message) => {
  expect(() => parseResult(text, "r")).toThrow(message);
});

test("an error is told in one line with its code, message and details", () => {
  expect(errorOf('{"code":11,"msg":"try\\nagain","details":"later"}')).toEqual({
    code: 11,
    message: "code 11: try again: later",
  });
  expect(errorOf("what?")).toBeUndefined();
});
