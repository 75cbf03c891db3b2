import { CheckAction, codecOf } from "@muster/framework-sdk";
import { decodeJob } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { buildLaunch } from "./build.ts";
import { checkedPort, definitionOf, jobText } from "./core.test.support.ts";

const launch = (text: string) => {
  const job = decodeJob(definitionOf(text));
  const [group] = job.groups;
  if (!group) throw new Error("a job has a group");
  return buildLaunch(job, group, {
    index: 2,
    version: 7,
    instanceId: "1-9",
    launchId: "v7-1-9",
    volumes: [],
    files: {},
  });
};

test("a task tells DNS how many checks must pass before it is named", () => {
  expect(launch(jobText("web", { group: checkedPort })).tasks[0]?.labels["muster.checks"]).toBe("1");
  expect(launch(jobText("web")).tasks[0]?.labels["muster.checks"]).toBe("0");
});

test("a task is found again by its labels: job, group, instance and version", () => {
  expect(launch(jobText("web")).tasks[0]?.labels).toMatchObject({ job: "web", group: "g", index: "2", version: "7" });
});

test("each kind of check reaches the agent with all that the job says of it", () => {
  const check = (lines: string) => `check {
        interval = "5s"
        timeout = "2s"
        ${lines}
      }`;
  const group = `network {
      port "http" {}
    }
    service {
      port = "http"
      ${check('type = "http"\npath = "/up"\nmethod = "POST"\nbody = "ping"\nprotocol = "https"\ntls_skip_verify = true')}
      ${check('type = "grpc"\ngrpc_service = "shop.Cart"\ngrpc_use_tls = true\ntls_server_name = "shop"')}
      ${check('type = "script"\ncommand = "/bin/check"\nargs = ["-q"]\ncheck_restart { limit = 2 }')}
    }`;
  const [task] = launch(jobText("web", { group })).tasks;
  const { healthChecks } = codecOf("TaskSpec").decode(task?.spec ?? Buffer.alloc(0));
  const scheme = { scheme: "https", tlsSkipVerify: true, tlsServerName: "" };
  expect(healthChecks.map(({ http, grpc, script, action }) => [http ?? grpc ?? script, action])).toEqual([
    [
      { portLabel: "http", path: "/up", method: "POST", body: "ping", headers: {}, ...scheme },
      CheckAction.CHECK_ACTION_REPORT,
    ],
    [
      { portLabel: "http", service: "shop.Cart", tls: true, tlsSkipVerify: false, tlsServerName: "shop" },
      CheckAction.CHECK_ACTION_REPORT,
    ],
    [{ command: "/bin/check", arguments: ["-q"] }, CheckAction.CHECK_ACTION_ASK],
  ]);
});

test("a check of a group's service that names a task is that task's", () => {
  const service = `service {
      check {
        type = "script"
        task = "side"
        command = "true"
        interval = "5s"
        timeout = "2s"
      }
    }`;
  const text = jobText("web", {
    group: `${service}
    task "side" {
      driver = "process"
      config {
        command = "sleep"
      }
    }`,
  });
  const made = launch(text).tasks.map(({ name, labels }) => [name, labels["muster.checks"]]);
  expect(Object.fromEntries(made)).toEqual({ side: "1", t: "0" });
});

test("in a network without ports a check's number is a port inside, asked from there", () => {
  const group = `network {
      mode = "none"
    }
    service {
      check {
        type = "tcp"
        port = 6379
        interval = "5s"
        timeout = "2s"
      }
    }`;
  const [task] = launch(jobText("web", { group })).tasks;
  const { healthChecks } = codecOf("TaskSpec").decode(task?.spec ?? Buffer.alloc(0));
  expect(healthChecks).toMatchObject([{ tcp: { portLabel: "" }, loopbackPort: 6379 }]);
});
