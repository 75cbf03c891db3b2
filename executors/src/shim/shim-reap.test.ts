import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const shim = readFileSync(fileURLToPath(new URL("../../shim/shim.pl", import.meta.url)), "utf8");

test("the exit of a task is what it was, also if another child's end is noticed in the midst of taking it", () => {
  const reap = /^sub reap \{\n[\s\S]*?^\}$/m.exec(shim)?.[0] ?? "";
  // The time is asked between two looks at the children: here SIGCHLD comes just then.
  const script = `
    my ($pid, $ended, $status, $ended_at, $depth) = (0, 0, 0, 0, 0);
    sub now_ms { reap() if $depth++ == 0; return 1 }
    ${reap}
    $pid = fork();
    exit 7 if $pid == 0;
    until ($ended) { reap(); select(undef, undef, undef, 0.001) }
    print $status >> 8, " ", $status & 127;`;
  expect(execFileSync("perl", ["-e", script], { encoding: "utf8" })).toBe("7 0");
});
