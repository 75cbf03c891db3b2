import { expect, test } from "vitest";
import { decodeJob } from "../job/decode-job.ts";
import { driverConfigJson } from "../job/driver-config.ts";
import { compileJob } from "./compile.ts";

const compile = (driver: string, config: string) =>
  compileJob({
    file: "j.hcl",
    text: `job "j" {\n task "t" {\n driver = "${driver}"\n config {\n ${config}\n }\n }\n}\n`,
  });

test.each(["oci", "docker"])("driver %s runs an image, and all of its settings reach the agent", (driver) => {
  const { job, diagnostics } = compile(
    driver,
    `image = "registry.example:5000/a/b:1"
     entrypoint = ["run"]
     args = ["x"]
     force_pull = true
     image_pull_timeout = "90s"
     work_dir = "/app"
     cap_drop = ["all"]
     auth {
       username = "me"
       password = "secret"
     }`,
  );
  expect(diagnostics).toEqual([]);
  const task = job?.groups[0]?.tasks[0];
  if (!job || !task) throw new Error("no task");
  expect(decodeJob(JSON.stringify(job)).groups).toEqual(job.groups);
  expect(task).toMatchObject({ driver, config: { command: "", args: ["x"] } });
  expect(JSON.parse(driverConfigJson(task))).toEqual({
    image: "registry.example:5000/a/b:1",
    entrypoint: ["run"],
    force_pull: true,
    image_pull_timeout_ms: 90_000,
    auth: { username: "me", password: "secret" },
    work_dir: "/app",
    cap_drop: ["all"],
  });
});

test.each([
  ["oci", 'command = "x"', ["job/no-image"]],
  ["oci", 'image = "a"\nrootfs = "/x"', ["job/not-of-driver"]],
  ["oci", 'image = "a"\nimage_pull_timeout = "0s"', ["schema/out-of-range"]],
  ["oci", 'image = "a"\nauth {\nusername = "x"\n}', ["schema/missing"]],
  ["exec", 'command = "x"\nimage = "a"', ["job/not-of-driver"]],
  ["process", 'image = "a"', ["schema/missing", "job/not-of-driver"]],
  ["docker", 'image = "a"\nprivileged = true', ["schema/refused"]],
])("driver %s refuses %j", (driver, config, codes) => {
  expect(compile(driver, config).diagnostics.map(({ code }) => code)).toEqual(codes);
});
