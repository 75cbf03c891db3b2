import { expect, test } from "vitest";
import { mountsBelow } from "./host-files.ts";

const line = (point: string): string => `36 35 98:0 / ${point} rw,noatime - ext4 /dev/sda rw`;

test("what is mounted below a folder is found, outer mounts first; what only begins alike is not", () => {
  const mountinfo = ["/", "/etc/hosts", "/usr/local/share", "/usr/local", "/usrx/y", "/etc"].map(line).join("\n");
  expect(mountsBelow(mountinfo, ["/etc", "/usr"])).toEqual(["/etc/hosts", "/usr/local", "/usr/local/share"]);
});
