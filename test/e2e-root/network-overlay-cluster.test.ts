import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { testWith } from "./machine.ts";
import { Lan, muster, tools } from "./overlay.support.ts";

const ended: (() => Promise<void>)[] = [];
// Named first, so that it comes last: agents say goodbye to a master that is there.
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});
const lan = Lan.use(afterEach);

interface Network {
  name: string;
  subnets: { agentName: string; subnet: string; releasedAt: string | null }[];
}

interface JobNow {
  healthy: number;
  instances: { agent: string; ip: string; ports: Record<string, number>; pid: number }[];
}

/** Starts a component of a cluster, and gives how to end it. */
function component(...words: string[]): ChildProcess {
  const child = spawn(process.execPath, [muster, "daemon", ...words], { stdio: "ignore" });
  ended.push(
    () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      }),
  );
  return child;
}

/** What a command answers, as data. */
function ask<T>(address: string, ...words: string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const all = [muster, ...words, "--json", "--address", address];
    execFile(process.execPath, all, (_error, output, errors) => {
      try {
        resolve(JSON.parse(output).data);
      } catch {
        reject(new Error(`${words.join(" ")}: ${output}${errors}`));
      }
    });
  });
}

function aJob(mode: string): string {
  const program = "require('http').createServer((q, a) => a.end(String(process.pid))).listen(8080, '::')";
  return `job "web" {
  group "web" {
    count = 2
    constraint { distinct_hosts = true }
    network {
      mode = "${mode}"
      port "http" { to = 8080 }
    }
    service {
      port = "http"
      check {
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }
    }
    task "server" {
      driver = "raw_exec"
      config {
        command = "${process.execPath}"
        args    = ["-e", "${program}"]
      }
      resources {
        cpu    = 10
        memory = 64
      }
    }
  }
}
`;
}

testWith(
  [...tools, "curl"],
  "a job spreads over hosts in a network that the master has leased them, and keeps it",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-overlay-master-"));
    ended.push(async () => rmSync(folder, { recursive: true, force: true }));
    const [one, two] = [lan.host(), lan.host()];
    const address = `${lan.ip}:15050`;
    const overlays = ["--overlays", "blue 10.244.0.0/16 fd44::/48"];
    const startMaster = () => component("master", "--data-dir", folder, "--listen", address, ...overlays);
    const master = startMaster();
    component("services", "--master", address);
    await Promise.all([one.start(address), two.start(address)]);
    const leases = async () => {
      const [network] = await ask<Network[]>(address, "network", "list").catch(() => []);
      const held = network?.subnets.filter(({ releasedAt }) => !releasedAt) ?? [];
      return held.map(({ agentName, subnet }) => `${agentName} ${subnet}`).sort();
    };
    await expect.poll(leases, { timeout: 20_000 }).toHaveLength(2);
    const before = await leases();

    const file = join(folder, "web.hcl");
    writeFileSync(file, aJob("overlay/green"));
    const plan = await ask<unknown>(address, "job", "plan", file);
    expect(JSON.stringify(plan)).toContain("network mode overlay/green does not work there");

    writeFileSync(file, aJob("overlay/blue"));
    await ask<unknown>(address, "job", "run", file);
    const job = await ask<JobNow>(address, "job", "status", "web");
    expect(job.healthy).toBe(2);
    const [first, second] = job.instances.sort((a, b) => (a.ip < b.ip ? -1 : 1));
    expect([first, second].map((each) => `${each?.ip}:${each?.ports["http"]}`)).toEqual([
      "10.244.0.2:8080",
      "10.244.1.2:8080",
    ]);
    const host = first?.agent === "host-1" ? one : two;
    const answer = () => host.run("curl", "-sS", "--max-time", "2", `http://${second?.ip}:8080/`);
    expect(answer()).toBe(String(second?.pid));

    master.kill("SIGKILL");
    await new Promise((resolve) => master.once("exit", resolve));
    expect(answer()).toBe(String(second?.pid));
    startMaster();
    await expect.poll(leases, { timeout: 20_000 }).toEqual(before);
    await expect
      .poll(async () => (await ask<JobNow>(address, "job", "status", "web").catch(() => undefined))?.healthy, {
        timeout: 20_000,
      })
      .toBe(2);
    expect(answer()).toBe(String(second?.pid));
  },
  90_000,
);
