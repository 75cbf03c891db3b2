import { expect, test } from "vitest";
import { groupNeed, taskDescription } from "../job/asks.ts";
import { canonicalJson } from "../job/canonical.ts";
import { decodeJob } from "../job/decode-job.ts";
import { compileJob } from "./compile.ts";

const volume = (text: string): string => `volume "store" {\n${text}\n}`;
const mount = (text: string): string => `volume_mount {\n${text}\n}`;

function compile(group: string, task: string, driver = "exec") {
  const text = `job "j" {
  group "g" {
    ${group}
    task "t" {
      driver = "${driver}"
      config {
        command = "true"
      }
      ${task}
    }
  }
}
`;
  const { job, diagnostics } = compileJob({ file: "j.hcl", text });
  return { job, remarks: diagnostics.map(({ severity, summary }) => `${severity}: ${summary}`) };
}

const host = 'type = "host"\nsource = "data"';
const place = 'volume = "store"\ndestination = "/srv/store"';

/** The only task of a job that nothing is said of, and that its JSON says whole. */
function onlyTask({ job, remarks }: ReturnType<typeof compile>) {
  expect(remarks).toEqual([]);
  if (!job) throw new Error("no job");
  expect(decodeJob(canonicalJson(job))).toEqual(job);
  const [group] = job.groups;
  const [task] = group?.tasks ?? [];
  if (!group || !task) throw new Error("no task");
  return { job, group, task };
}

test("a host volume is asked of agents that have it, as it is used, and mounted where the task says", () => {
  const { job, group, task } = onlyTask(compile(volume(host), mount(place)));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that is resolved for each agent
  const attribute = "${attr.host_volume.data}";
  expect(groupNeed(job, group).constraints).toContainEqual({ attribute, operator: "=", value: "rw" });
  expect(taskDescription(job, group, task, 0).hostMounts).toEqual([
    { source: "data", volume: "store", destination: "/srv/store", readOnly: false },
  ]);
});

test("what is only read may be mounted where nobody may write", () => {
  for (const [of, at] of [
    [`${host}\nread_only = true`, place],
    [host, `${place}\nread_only = true`],
  ] as const) {
    const { job } = compile(volume(of), mount(at));
    const [group] = job?.groups ?? [];
    const [task] = group?.tasks ?? [];
    if (!job || !group || !task) throw new Error("no task");
    expect(groupNeed(job, group).constraints.map(({ operator }) => operator)).toContain("is_set");
    expect(taskDescription(job, group, task, 0).hostMounts[0]?.readOnly).toBe(true);
  }
});

test.each<[string, string, string, RegExp]>([
  ["another type", volume('type = "csi"\nsource = "data"'), mount(place), /type csi are not available in this release/],
  ["a volume that is not there", "", mount(place), /its group has no volume "store"/],
  ["a relative place", volume(host), mount('volume = "store"\ndestination = "x"'), /"x" is no absolute path/],
  [
    "a place outside",
    volume(host),
    mount('volume = "store"\ndestination = "/../x"'),
    /is no absolute path without dots/,
  ],
  ["two at one place", volume(host), `${mount(place)}\n${mount(place)}`, /two are at \/srv\/store/],
  ["two of one name", `${volume(host)}\n${volume(host)}`, mount(place), /two volumes are named "store"/],
  [
    "one for each instance",
    volume(`${host}\nper_alloc = true`),
    mount(place),
    /belong to the agent, not to an instance/,
  ],
  [
    "a mount that is passed on",
    volume(host),
    mount(`${place}\npropagation_mode = "bidirectional"`),
    /are not passed on/,
  ],
])("%s is refused", (_, group, task, expected) => {
  const { job, remarks } = compile(group, task);
  expect(job).toBeUndefined();
  expect(remarks.join("\n")).toMatch(expected);
});

test("a plain process can't be kept from writing, so it is not given what may only be read", () => {
  for (const [of, at] of [
    [`${host}\nread_only = true`, place],
    [host, `${place}\nread_only = true`],
  ] as const)
    expect(compile(volume(of), mount(at), "raw_exec").remarks.join("\n")).toMatch(
      /error: .*plain process can't be kept from writing/,
    );
  expect(compile(volume(host), mount(place), "raw_exec").remarks).toEqual([]);
});

test("a job from the wire is held to the same", () => {
  const { job } = compile(volume(host), mount(place));
  const changed = (change: (group: Record<string, unknown>) => void): string => {
    const copy = JSON.parse(canonicalJson(job as NonNullable<typeof job>));
    change(copy.groups[0]);
    return JSON.stringify(copy);
  };
  expect(() => decodeJob(changed((group) => delete group["volumes"]))).toThrow(
    /volumeMounts\[0\]: its group has no volume/,
  );
  const wrong = [{ name: "store", type: "csi", source: "data", readOnly: false }];
  expect(() => decodeJob(changed((group) => Object.assign(group, { volumes: wrong })))).toThrow(/volumes\[0\]\.type/);
});

const own = 'type = "muster"\nsize = 100';

test("a volume of Muster's own is asked of no agent, and mounted where the task says and nowhere else", () => {
  const { job, group, task } = onlyTask(compile(volume(own), mount(place), "process"));
  expect(group.volumes).toEqual([{ name: "store", type: "muster", sizeMiB: 100, readOnly: false }]);
  expect(groupNeed(job, group).constraints).toEqual([]);
  expect(taskDescription(job, group, task, 0)).toMatchObject({
    volumeMounts: [{ volume: "store", destination: "/srv/store", readOnly: false }],
    onlyNamedVolumes: true,
    hostMounts: [],
  });
});

test.each([
  ['type = "muster"', /needs size/],
  [`${own}\nsource = "data"`, /has no source/],
  ['type = "muster"\nsize = 2000000000', /at most 1073741824 MiB/],
  ['type = "host"\nsource = "data"\nsize = 5', /has no size of its own/],
  ['type = "host"', /needs source/],
])("%s is refused", (text, message) => {
  const { job, remarks } = compile(volume(text), mount(place));
  expect(job).toBeUndefined();
  expect(remarks.join("\n")).toMatch(message);
});

test("volumes of Muster's own are of service jobs without canaries", () => {
  const canary = compile(`${volume(own)}\nupdate {\ncanary = 1\n}`, mount(place));
  expect(canary.remarks.join()).toMatch(/the volume has one user/);
  const text = `job "j" {\ntype = "batch"\ngroup "g" {\n${volume(own)}\ntask "t" {\ndriver = "exec"\nconfig {\ncommand = "true"\n}\n}\n}\n}`;
  const { diagnostics } = compileJob({ file: "j.hcl", text });
  expect(diagnostics.map(({ summary }) => summary)).toEqual(["a batch job has no volumes of type muster"]);
});

test("a definition that no job file can say is refused too", () => {
  const { job } = compile(volume(own), mount(place));
  expect(() => decodeJob(JSON.stringify({ ...job, type: "system" }))).toThrow(/volumes/);
});

test("a mount may be below the task's own folder, by its name", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the job's language
  const place = 'volume = "store"\ndestination = "${NOMAD_TASK_DIR}/store"';
  const { task } = onlyTask(compile(volume(host), mount(place)));
  expect(task.volumeMounts?.[0]?.destination).toBe("/local/store");
});
