import { expect, test } from "vitest";
import { findEngine, judge } from "./find-engine.ts";

const components = [{ Name: "docker-init", Version: "0.19.0" }];
const answer = { Version: "20.10.24", ApiVersion: "1.41", Os: "linux", Components: components };

test("an Engine that runs containers of linux under an init works", () => {
  expect(judge("/s", answer)).toEqual({ works: true, version: "20.10.24", apiVersion: "1.41" });
});

test.each([
  ["no Engine of Docker's API", {}],
  ["runs containers of windows", { ...answer, Os: "windows" }],
  ["apt-get install tini", { ...answer, Components: [{ Name: "docker-init", Version: "N/A" }] }],
  ["apt-get install tini", { ...answer, Components: [] }],
])("of others it is said: %s", (words, said) => {
  expect(judge("/s", said)).toMatchObject({ works: false, reason: expect.stringContaining(words) });
});

test.skipIf(process.getuid?.() !== 0)("where none listens the reason ends with the command that mends it", async () => {
  expect(await findEngine("/no/such/socket")).toEqual({
    works: false,
    reason: "no Engine listens at /no/such/socket (--docker-socket names another place): apt-get install docker.io",
  });
});
