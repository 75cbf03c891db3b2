import { expect, test } from "vitest";
import { commandLine } from "./index.ts";
import { pullTimeoutMsDefault, readOciSettings } from "./settings.ts";

test("an image is all that a task has to name", () => {
  expect(readOciSettings('{"image":"alpine:3.19"}')).toMatchObject({
    ok: true,
    settings: { image: "alpine:3.19", forcePull: false, pullTimeoutMs: pullTimeoutMsDefault, workFolder: "" },
  });
});

test.each([
  ["", "config.image"],
  ['{"image":7}', "config.image"],
  ['{"image":"docker://alpine"}', "config.image: must have no scheme"],
  ['{"image":"a","rootfs":"/x"}', "config.rootfs: driver oci knows no such setting"],
  ['{"image":"a","entrypoint":"sh"}', "config.entrypoint"],
  ['{"image":"a","force_pull":"yes"}', "config.force_pull"],
  ['{"image":"a","image_pull_timeout_ms":0}', "config.image_pull_timeout_ms"],
  ['{"image":"a","auth":{"username":"me"}}', "config.auth.password"],
  ['{"image":"a","auth":{"username":"a:b","password":"c"}}', "config.auth.username"],
  ['{"image":"a","auth":{"username":"a","password":"c","token":"d"}}', "config.auth.token"],
  ['{"image":"a","pids_limit":0}', "config.pids_limit"],
])("%s is refused, naming %s", (json, field) => {
  expect(readOciSettings(json)).toMatchObject({ ok: false, problem: expect.stringContaining(field) });
});

test("a command takes the place of the image's, an entrypoint that of both", () => {
  const image = { entrypoint: ["entry"], command: ["of", "image"] };
  const line = (command: string, args: string[], entrypoint?: string[]): string =>
    commandLine({ command, arguments: args, entrypoint }, image)
      .map(({ text }) => text)
      .join(" ");
  expect(line("", [])).toBe("entry of image");
  expect(line("own", ["word"])).toBe("entry own word");
  expect(line("", ["word"])).toBe("entry word");
  expect(line("", [], ["other"])).toBe("other");
  expect(line("own", [], ["other"])).toBe("other own");
  expect(line("own", [], [])).toBe("own");
});
