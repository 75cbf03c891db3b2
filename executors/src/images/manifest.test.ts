import { expect, test } from "vitest";
import { parseImageConfig } from "./image-config.ts";
import { choosePlatform, parseManifest, platformOf } from "./manifest.ts";

const digest = (character: string): string => `sha256:${character.repeat(64)}`;
const blob = { digest: digest("a"), size: 7 };
const text = (fields: object): string => JSON.stringify({ schemaVersion: 2, ...fields });

test("a list gives the manifest for this host, or says what there is instead", () => {
  const entry = (character: string, architecture: string, os = "linux") => ({
    digest: digest(character),
    size: 1,
    platform: { os, architecture },
  });
  const manifests = [entry("a", "s390x"), entry("b", "amd64"), entry("c", "unknown", "unknown")];
  const manifest = parseManifest(text({ manifests }));
  if (manifest.type !== "index") throw new Error("no list");
  expect(choosePlatform(manifest, platformOf("x64"))).toBe(digest("b"));
  expect(() => choosePlatform(manifest, platformOf("arm64"))).toThrow(
    "no image for linux/arm64; there are linux/amd64, linux/s390x",
  );
});

test.each([
  ["[]", /no object/],
  ["{", /no JSON/],
  ['{"schemaVersion":1}', /schema version 1/],
  [text({}), /no layers/],
  [text({ layers: [], config: { digest: "md5:1", size: 1 } }), /no sha256 digest in config/],
  [text({ layers: [{ ...blob, size: -1 }], config: blob }), /no size in layers/],
  [text({ layers: Array(129).fill(blob), config: blob }), /129 layers/],
])("%s is refused", (manifest, problem) => {
  expect(() => parseManifest(manifest)).toThrow(problem);
});

test("a configuration says how an image is run; what is no text there is refused", () => {
  const rootfs = { type: "layers", diff_ids: [digest("a")] };
  const config = { Cmd: ["serve"], Env: ["A=b=c", "broken"], WorkingDir: "app", User: "1:2" };
  expect(parseImageConfig(JSON.stringify({ os: "linux", architecture: "arm", variant: "v7", rootfs, config }))).toEqual(
    {
      platform: { os: "linux", architecture: "arm", variant: "v7" },
      diffIds: [digest("a")],
      config: { entrypoint: [], command: ["serve"], environment: { A: "b=c" }, user: "1:2", workFolder: "/app" },
    },
  );
  expect(() => parseImageConfig(JSON.stringify({ rootfs, config: { Cmd: "serve" } }))).toThrow(/Cmd/);
  expect(() => parseImageConfig(JSON.stringify({ rootfs, config: { Env: ["A=\0"] } }))).toThrow(/Env/);
  expect(() => parseImageConfig(JSON.stringify({ rootfs: { diff_ids: ["../x"] } }))).toThrow(/digests/);
});
