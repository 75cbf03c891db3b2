import { expect, test } from "vitest";
import { capabilitiesOf } from "../../containers/capabilities.ts";
import { processesMaxDefault } from "../container-settings.ts";
import { readExecSettings } from "./settings.ts";

test("without settings a task has the host's programs and the default limit of processes", () => {
  expect(readExecSettings("")).toEqual({
    ok: true,
    settings: {
      rootfs: "",
      workFolder: "",
      capabilitiesAdded: [],
      capabilitiesDropped: [],
      processesMax: processesMaxDefault,
    },
  });
});

test.each([
  ["{", "driver_config_json"],
  ["[]", "driver_config_json"],
  ['{"image":"x"}', "config.image"],
  ['{"rootfs":"relative"}', "config.rootfs"],
  ['{"work_dir":7}', "config.work_dir"],
  ['{"cap_add":["sys_admin"]}', "config.cap_add: sys_admin"],
  ['{"cap_add":"chown"}', "config.cap_add"],
  ['{"pids_limit":0}', "config.pids_limit"],
])("%s is refused, naming %s", (json, field) => {
  expect(readExecSettings(json)).toMatchObject({ ok: false, problem: expect.stringContaining(field) });
});

test("root has few capabilities, others none; all can be given up, and none is had twice", () => {
  const none = { added: [], dropped: [] };
  expect(capabilitiesOf(none, 65_534)).toEqual([]);
  expect(capabilitiesOf(none, 0)).toHaveLength(11);
  expect(capabilitiesOf(none, 0)).not.toContain("CAP_NET_RAW");
  expect(capabilitiesOf({ added: ["CAP_NET_RAW", "net_raw"], dropped: ["all"] }, 0)).toEqual(["CAP_NET_RAW"]);
  expect(capabilitiesOf({ added: ["all"], dropped: [] }, 1)).toHaveLength(14);
  expect(capabilitiesOf({ added: [], dropped: ["chown"] }, 0)).not.toContain("CAP_CHOWN");
});
