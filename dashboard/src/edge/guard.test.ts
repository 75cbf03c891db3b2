import { expect, test } from "vitest";
import { type Arrival, hostName, turnAway } from "./guard.ts";

const names = new Set(["localhost", "127.0.0.1", "[::1]", "muster.example"]);
const post: Arrival = {
  method: "POST",
  host: "localhost:5080",
  origin: "http://localhost:5080",
  fetchSite: "same-origin",
  contentType: "application/grpc-web+proto",
  localAddress: "127.0.0.1",
};
const statusOf = (more: Partial<Arrival>): number | undefined => turnAway({ ...post, ...more }, names)?.status;

test("the page's own calls come in", () => {
  expect(statusOf({})).toBeUndefined();
  expect(statusOf({ host: "muster.example", origin: "https://muster.example" })).toBeUndefined();
});

test("a tool that is no browser sends neither origin nor site, and comes in", () => {
  expect(statusOf({ origin: undefined, fetchSite: undefined, contentType: "application/json" })).toBeUndefined();
});

test.each([
  "evil.example",
  "127.0.0.1.evil.example",
  "localhost@evil.example",
  "",
  undefined,
  "10.0.0.9",
  "[::2]:5080",
])("host %s is not served", (host) => expect(statusOf({ method: "GET", host })).toBe(421));

test("the address that a connection came in on may stand for the host: addresses can't be rebound", () => {
  expect(statusOf({ method: "GET", host: "10.0.0.5:5080", localAddress: "::ffff:10.0.0.5" })).toBeUndefined();
  expect(statusOf({ method: "GET", host: "[fd00::5]:5080", localAddress: "fd00::5" })).toBeUndefined();
});

test.each(["http://evil.example", "http://localhost:8080", "null", "file://localhost:5080", "nonsense"])(
  "a call from a page of origin %s is refused",
  (origin) => expect(statusOf({ origin })).toBe(403),
);

test("a call that the browser says is from another site is refused", () => {
  expect(statusOf({ fetchSite: "cross-site" })).toBe(403);
  expect(statusOf({ fetchSite: "same-site" })).toBe(403);
});

test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonish", undefined])(
  "a call of type %s, which forms can send, is refused",
  (contentType) => expect(statusOf({ contentType })).toBe(415),
);

test("host names are compared without port, case and final dot", () => {
  expect(hostName("Muster.Example.:80")).toBe("muster.example");
  expect(hostName("[::1]:5080")).toBe("[::1]");
});
