import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { parseEnd, parseStarted, shimSpec } from "./shim-files.ts";
import { shimPath } from "./shim-path.ts";

const shim = readFileSync(shimPath, "utf8");

test("the exit of a task is what it was, also if another child's end is noticed in the midst of taking it", () => {
  const reap = /^sub reap \{\n[\s\S]*?^\}$/m.exec(shim)?.[0] ?? "";
  // The time is asked between two looks at the children: here SIGCHLD comes just then.
  const script = `
    my ($child, $ended, $status, $ended_at, $depth) = (0, 0, 0, 0, 0);
    sub now_ms { reap() if $depth++ == 0; return 1 }
    ${reap}
    $child = fork();
    exit 7 if $child == 0;
    until ($ended) { reap(); select(undef, undef, undef, 0.001) }
    print $status >> 8, " ", $status & 127;`;
  expect(execFileSync("perl", ["-e", script], { encoding: "utf8" })).toBe("7 0");
});

test("the start of a command that ends at once is recorded whole", () => {
  const folder = mkdtempSync(`${tmpdir()}/muster-shim-`);
  try {
    mkdirSync(`${folder}/logs`);
    const environment = { PATH: process.env["PATH"] ?? "" };
    const limits = { logFileBytesMax: 1_000, logFilesMax: 1, network: undefined };
    const spec = { id: "a.0", command: "true", arguments: [], environment, user: "", ...limits };
    writeFileSync(`${folder}/spec`, shimSpec(spec, folder, `${folder}/event`, undefined));
    // After each file that it closes the shim loses the processor for a while, in which the command ends.
    const slowly = "sub (*) { my $done = CORE::close($_[0]); select(undef, undef, undef, 0.02); $done }";
    execFileSync("perl", ["-e", `BEGIN { *CORE::GLOBAL::close = ${slowly} } $0 = shift; do $0`, shimPath, folder]);
    expect(parseStarted(readFileSync(`${folder}/event.started`, "latin1"))?.startTicks).toBeGreaterThan(0);
    expect(parseEnd(readFileSync(`${folder}/event.exit`, "latin1"))).toMatchObject({ exit: { exitCode: 0 } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
