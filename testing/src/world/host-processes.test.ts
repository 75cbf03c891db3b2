import type { ProcSpec } from "@muster/executors";
import { expect, test } from "vitest";
import { HostProcesses } from "./host-processes.ts";
import { World } from "./world.ts";

function aSpec(id: string, words: string[], environment: Record<string, string> = {}): ProcSpec {
  return {
    id,
    command: "x",
    arguments: words,
    environment,
    user: "",
    logFileBytesMax: 1,
    network: undefined,
    logFilesMax: 1,
  };
}

function watch(log: string[]) {
  return {
    started: (id: string) => void log.push(`started ${id}`),
    failed: (id: string) => void log.push(`failed ${id}`),
    exited: (id: string, exit: { exitCode: number | undefined; signal: string }) =>
      void log.push(`exited ${id} ${exit.exitCode ?? exit.signal}`),
    memoryKilled: () => {},
    lost: (id: string) => void log.push(`lost ${id}`),
    absent: (id: string) => void log.push(`absent ${id}`),
  };
}

test("a command runs on without its agent, and the next life of the agent is told how it ended", () => {
  const world = new World(1);
  const host = new HostProcesses(world, "agent-0");
  const log: string[] = [];
  let startCount = 0;
  host.onStart = () => startCount++;
  const life = world.begin("agent-0");
  const proc = host.openFor(life);
  proc.start(watch(log), new Set());
  proc.spawn(aSpec("k.0", ["for", "500", "exit", "7"]));
  proc.spawn(aSpec("k.0", ["for", "500", "exit", "7"]));
  world.run({ untilMs: 100 });
  world.end(life, "killed");
  world.run({ untilMs: 1_000 });
  const next = host.openFor(world.begin("agent-0"));
  next.start(watch(log), new Set(["k"]));
  next.adopt("k.0", host.bootId);
  next.adopt("never.0", host.bootId);
  world.run({ untilMs: 2_000 });
  expect(log).toEqual(["started k.0", "started k.0", "exited k.0 7", "absent never.0"]);
  expect(startCount).toBe(1);
});

test("signals end a command unless it is deaf; a kill ends any", () => {
  const world = new World(1);
  const host = new HostProcesses(world, "agent-0");
  const log: string[] = [];
  const proc = host.openFor(world.begin("agent-0"));
  proc.start(watch(log), new Set());
  proc.spawn(aSpec("a.0", ["serve"]));
  proc.spawn(aSpec("b.0", ["serve", "deaf"]));
  world.run({ untilMs: 100 });
  for (const id of ["a.0", "b.0"]) proc.signal(id, "SIGTERM");
  world.run({ untilMs: 200 });
  expect(log.slice(2)).toEqual(["exited a.0 SIGTERM"]);
  proc.kill("b.0");
  world.run({ untilMs: 300 });
  expect(log.slice(3)).toEqual(["exited b.0 SIGKILL"]);
});

test("what the agent has no record of is swept away at its start; a reboot leaves nothing alive", () => {
  const world = new World(1);
  const host = new HostProcesses(world, "agent-0");
  const log: string[] = [];
  const first = host.openFor(world.begin("agent-0"));
  first.start(watch([]), new Set());
  for (const id of ["kept.0", "ghost.0"]) first.spawn(aSpec(id, ["serve"]));
  world.run({ untilMs: 100 });
  const second = host.openFor(world.begin("agent-0"));
  second.start(watch(log), new Set(["kept"]));
  expect(host.alive().map(({ spec }) => spec.id)).toEqual(["kept.0"]);
  const bootId = host.bootId;
  host.reboot();
  expect(host.alive()).toEqual([]);
  expect(host.bootId).not.toBe(bootId);
  const third = host.openFor(world.begin("agent-0"));
  third.start(watch(log), new Set(["kept"]));
  third.adopt("kept.0", bootId);
  world.run({ untilMs: 200 });
  expect(log.at(-1)).toBe("absent kept.0");
});

test("a port is in use while the command that listens on it lives, and answers checks so long", () => {
  const world = new World(1);
  const host = new HostProcesses(world, "agent-0");
  const life = world.begin("agent-0");
  const proc = host.openFor(life);
  proc.start(watch([]), new Set());
  proc.spawn(aSpec("a.0", ["serve", "listen"], { MUSTER_PORT_http: "20001" }));
  world.run({ untilMs: 100 });
  const seen: unknown[] = [];
  const ask = (): void => {
    host.portsFor(life).check([{ port: 20_001, protocol: "", ip: "" }], (taken) => seen.push(taken.length));
    const target = { type: "tcp", ip: "10.0.0.1", port: 20_001 } as const;
    host.proberFor(life).probe(target, 1_000, ({ passed }) => seen.push(passed));
    world.run({ untilMs: world.nowMs + 100 });
  };
  ask();
  proc.kill("a.0");
  world.run({ untilMs: 300 });
  ask();
  expect(seen).toEqual([1, true, 0, false]);
});
