// biome-ignore-all lint/suspicious/noTemplateCurlyInString: jobspecs refer to properties so
import { expect, test } from "vitest";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { compileJob } from "./compile.ts";

const compile = (body: string, head = "") =>
  compileJob({
    file: "web.hcl",
    text: `job "web" {
  ${head}
  group "g" {
    ${body}
    task "t" {
      driver = "process"
      config {
        command = "sleep"
      }
    }
  }
}`,
  });
const summaries = (body: string): string[] => compile(body).diagnostics.map(({ summary }) => summary);

test("affinities and spreads have Nomad's defaults, and survive the way to the framework", () => {
  const { job, diagnostics } = compile(
    `affinity {
      attribute = "\${meta.disk}"
      value     = "ssd"
    }
    spread {
      attribute = "\${meta.rack}"
      target "r1" {
        percent = 60
      }
    }`,
    'placement = "pack"',
  );
  expect(diagnostics).toEqual([]);
  expect(job?.groups[0]).toMatchObject({
    affinities: [{ attribute: "${meta.disk}", operator: "=", value: "ssd", weight: 50 }],
    spreads: [{ attribute: "${meta.rack}", weight: 50, targets: [{ value: "r1", percent: 60 }] }],
  });
  expect(job && decodeJob(canonicalJson(job))).toEqual(job);
});

test("what prefers nothing, or more than all there is, is refused", () => {
  expect(summaries('affinity {\n attribute = "a"\n weight = 0\n }')).toEqual([
    "an affinity with weight 0 has no effect",
  ]);
  expect(summaries('affinity {\n attribute = "a"\n operator = "max_per"\n value = "2"\n }')).toEqual([
    "an affinity has no operator distinct_property",
  ]);
  const target = (name: string) => `target "${name}" {\n percent = 60\n }`;
  expect(summaries(`spread {\n attribute = "a"\n ${target("x")}\n ${target("y")}\n }`)).toEqual([
    "the targets of a spread are 120 %, at most 100 % can be",
  ]);
  expect(summaries('constraint {\n attribute = "a"\n operator = "GROUP_BY"\n value = "many"\n }')).toEqual([
    'the value of group_by is a count, "strict", or both',
  ]);
});
