import { expect, test } from "vitest";
import { fromFile, registryAuth } from "./registry-auth.ts";

const encoded = (text: string): string => Buffer.from(text).toString("base64");

test("a registry's name and password are read from the file that docker login writes", () => {
  const auths = {
    "registry.example:5000": { auth: encoded("me:pass:word") },
    "https://index.docker.io/v1/": { auth: encoded("hub:h") },
  };
  const text = JSON.stringify({ auths });
  expect(fromFile(text, "registry.example:5000")).toEqual({ username: "me", password: "pass:word" });
  expect(fromFile(text, "docker.io")).toEqual({ username: "hub", password: "h" });
  expect(fromFile(text, "elsewhere.example")).toBeUndefined();
  expect(fromFile("{}", "docker.io")).toBeUndefined();
});

test("an Engine is told who asks, or nothing", () => {
  expect(registryAuth("r.example", undefined, "")).toBe("");
  const header = registryAuth("r.example", { username: "u", password: "p?>" }, "/no/such/file");
  expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
    username: "u",
    password: "p?>",
    serveraddress: "r.example",
  });
});
