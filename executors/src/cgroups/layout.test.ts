import { expect, test } from "vitest";
import { layoutFault, parseLayout } from "./layout.ts";

const first = (names: string, access = "rw"): string =>
  names
    .split(" ")
    .map((name) => `cgroup /sys/fs/cgroup/${name} cgroup ${access},nosuid,${name} 0 0`)
    .join("\n");
const second = (folder: string): string => `cgroup2 ${folder} cgroup2 rw,nosuid,nsdelegate 0 0`;
const all = () => ["cpuset", "cpu", "io", "memory", "pids"];

test("case 68: version 2 alone, version 1 alone, both, and none are told apart", () => {
  const named = (mounts: string, controllers = all) => parseLayout(mounts, controllers).name;
  expect(named(second("/sys/fs/cgroup"))).toBe("v2");
  expect(named(first("memory cpu pids"))).toBe("v1");
  expect(named(`${first("memory cpu pids")}\n${second("/sys/fs/cgroup/unified")}`, () => ["hugetlb"])).toBe("hybrid");
  expect(named("proc /proc proc rw 0 0")).toBe("none");
});

test("hierarchies of version 1 know their controllers, also those that share a mount or only have a name", () => {
  const mounts = `${first("memory")}
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0`;
  expect(parseLayout(mounts, all).hierarchies.map(({ controllers }) => controllers)).toEqual([
    ["memory"],
    ["cpu", "cpuacct"],
    ["name=systemd"],
  ]);
});

test("what can't limit tasks says what is missing", () => {
  expect(layoutFault(parseLayout(first("memory cpu"), all))).toMatch(/v1 lacks the controllers pids/);
  expect(layoutFault(parseLayout(second("/sys/fs/cgroup"), () => ["cpu"]))).toMatch(/v2 lacks .* memory, pids/);
  expect(layoutFault(parseLayout(first("memory cpu pids", "ro"), all))).toMatch(/read-only/);
  expect(layoutFault(parseLayout("", all))).toMatch(/no cgroups are mounted/);
  expect(layoutFault(parseLayout(second("/sys/fs/cgroup"), all))).toBeUndefined();
});
