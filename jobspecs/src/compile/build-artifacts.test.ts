import { expect, test } from "vitest";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { compileJob } from "./compile.ts";

function compile(artifact: string, driver = "exec") {
  const config = driver === "oci" ? 'image = "alpine:3.19"' : 'command = "true"';
  const text = `job "j" {
  group "g" {
    task "t" {
      driver = "${driver}"
      config {
        ${config}
      }
      artifact {
${artifact}
      }
    }
  }
}
`;
  return compileJob({ file: "j.hcl", text });
}

const remarks = (artifact: string, driver?: string): string[] =>
  compile(artifact, driver).diagnostics.map(({ line, severity, summary }) => `${line} ${severity}: ${summary}`);

test("an artifact keeps what is written, and the rest is Nomad's", () => {
  const { job, diagnostics } = compile(`        source = "https://e.com/a.zip?archive=false"
        options {
          checksum = "md5:${"0".repeat(32)}"
        }
        headers {
          X-Key = "k"
        }`);
  expect(diagnostics).toEqual([]);
  expect(job?.groups[0]?.tasks[0]?.artifacts).toEqual([
    {
      source: "https://e.com/a.zip?archive=false",
      destination: "local/",
      mode: "any",
      options: { checksum: `md5:${"0".repeat(32)}` },
      headers: { "X-Key": "k" },
      insecure: false,
      chown: false,
    },
  ]);
  expect(job && decodeJob(canonicalJson(job))).toEqual(job);
});

test("what an agent would refuse is refused at its place, with what to do", () => {
  expect(remarks('        source = "s3::https://s3.amazonaws.com/b/k"')).toEqual([
    "9 error: artifact: S3 is not available in this release; use an https URL that the bucket signs",
  ]);
  expect(
    remarks('        source = "https://e.com/a"\n        options {\n          cheksum = "x"\n        }')[0],
  ).toMatch(/error: artifact: options\.cheksum: is not known; known are checksum, archive/);
  expect(remarks('        source = "/a"\n        destination = "../x"')).toEqual([
    `10 error: artifact: destination: "../x" leads out of the task's folder`,
  ]);
  expect(remarks('        destination = "x"')[0]).toMatch(/source/);
});

test("what only the agent knows is left to it", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that the agent fills in
  expect(remarks('        source = "https://e.com/${attr.cpu.arch}/a.zip"')).toEqual([]);
});

test("what a container from an image does not see is warned of", () => {
  expect(remarks('        source = "/a"\n        destination = "etc/x"', "oci")).toEqual([
    '10 warning: a container from an image does not see "etc/x"',
  ]);
  expect(remarks('        source = "/a"\n        destination = "/local/x"', "oci")).toEqual([]);
});
