import { expect, test } from "vitest";
import { compileJob } from "../compile/compile.ts";
import { convertDocument } from "./convert.ts";

test("artifacts, disk and host volumes of Nomad's API become what a job file says of them", () => {
  const task = {
    Name: "t",
    Driver: "exec",
    Config: { command: "true" },
    Artifacts: [
      {
        GetterSource: "https://e.com/a.zip",
        GetterOptions: { archive: "false" },
        GetterHeaders: null,
        GetterMode: "file",
        GetterInsecure: false,
        RelativeDest: "local/a",
        Chown: true,
      },
    ],
    VolumeMounts: [
      { Volume: "store", Destination: "/store", ReadOnly: true, PropagationMode: "private", SELinuxLabel: "" },
    ],
  };
  const group = {
    Name: "g",
    Count: 1,
    EphemeralDisk: { SizeMB: 400, Sticky: false, Migrate: false },
    Volumes: {
      store: { Name: "store", Type: "host", Source: "data", ReadOnly: false, Sticky: false, PerAlloc: false },
    },
    Tasks: [task],
  };
  const [converted] = convertDocument({ Job: { ID: "j", TaskGroups: [group] } }, "nomad");
  const { text = "", losses } = converted ?? {};
  expect(losses).toEqual([]);
  const { job, diagnostics } = compileJob({ file: "j.hcl", text });
  expect(diagnostics).toEqual([]);
  const [made] = job?.groups ?? [];
  expect(made?.volumes).toEqual([{ name: "store", type: "host", source: "data", readOnly: false }]);
  expect(made?.tasks[0]).toMatchObject({
    resources: { diskMiB: 400 },
    volumeMounts: [{ volume: "store", destination: "/store", readOnly: true }],
    artifacts: [
      {
        source: "https://e.com/a.zip",
        destination: "local/a",
        mode: "file",
        options: { archive: "false" },
        chown: true,
      },
    ],
  });
});
