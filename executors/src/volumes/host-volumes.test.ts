import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findHostVolumes, hostMountFault, hostVolumeAttributes, parseHostVolumes } from "./host-volumes.ts";

test("folders of the host are declared by name, for reading alone if so said", () => {
  expect(parseHostVolumes("data=/srv/data, certs=/etc/certs:ro,x=/x:rw", "hostVolumes")).toEqual([
    { name: "data", folder: "/srv/data", isReadOnly: false },
    { name: "certs", folder: "/etc/certs", isReadOnly: true },
    { name: "x", folder: "/x", isReadOnly: false },
  ]);
  expect(parseHostVolumes("", "hostVolumes")).toEqual([]);
});

test.each(["data", "data=relative", "a b=/x", "data=/a/../b", "data=/a:rx", "data=/a,data=/b"])(
  "%s is refused",
  (text) => {
    expect(() => parseHostVolumes(text, "hostVolumes")).toThrow(/hostVolumes/);
  },
);

test("a folder that is not there is told of, and no attribute names it", () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-volume-"));
  try {
    const declared = parseHostVolumes(`here=${folder}:ro,gone=${folder}/none`, "hostVolumes");
    const { volumes, lacking } = findHostVolumes(declared);
    expect(hostVolumeAttributes(volumes)).toEqual([{ name: "host_volume.here", value: "ro" }]);
    expect(lacking).toEqual([
      { name: "host-volume/gone", reason: `${folder}/none is no folder of this host; make it` },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a task has what is declared, as it is declared", () => {
  const volumes = new Map(parseHostVolumes("certs=/certs:ro", "x").map((one) => [one.name, one]));
  const wish = (source: string, readOnly: boolean) => ({
    hostMounts: [{ source, volume: "v", destination: "/v", readOnly }],
  });
  expect(hostMountFault(wish("certs", true), volumes)).toBeUndefined();
  expect(hostMountFault(wish("certs", false), volumes)).toMatch(/may only be read on this agent; say read_only = true/);
  expect(hostMountFault(wish("other", true), volumes)).toBe('host volume "other" is not declared on this agent');
  expect(hostMountFault({}, volumes)).toBeUndefined();
});
