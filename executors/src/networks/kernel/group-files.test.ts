import { expect, test } from "vitest";
import { hostsText, resolverText } from "./group-files.ts";

const plain = { hostname: "web", dnsServers: [], dnsSearches: [], dnsOptions: [] };
const stub = "# stub\nnameserver 127.0.0.53\noptions edns0\nsearch example.net\n";
const upstream = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.net\n";

test("case 32: where the host's resolver listens on its loopback, groups get the servers behind it", () => {
  expect(resolverText(plain, [stub, upstream])).toBe(
    "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.net\n",
  );
});

test("what a job says comes before what the host says, word by word", () => {
  const settings = { ...plain, dnsServers: ["198.51.100.1"], dnsOptions: ["ndots:2"] };
  expect(resolverText(settings, [upstream])).toBe("nameserver 198.51.100.1\nsearch example.net\noptions ndots:2\n");
});

test("a group's own name has its own addresses", () => {
  expect(hostsText("web", ["10.78.0.2", "fd78::2"])).toContain("10.78.0.2 web\nfd78::2 web\n");
});
