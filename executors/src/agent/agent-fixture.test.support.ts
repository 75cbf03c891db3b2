import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GrpcTransport, grpcTransport, type Log, systemClock, systemRandom } from "@muster/foundation";
import type { ContainerHost } from "../containers/container-host.ts";
import { type ExecutorServer, executorSocketPath, serveExecutors } from "../executor-socket.ts";
import { type HostWorldOptions, hostWorld } from "../host-world.ts";
import { type BridgeSettings, bridgeDefaults } from "../networks/bridge/settings.ts";
import { type Agent, type AgentDeps, createAgent } from "./agent.ts";
import type { AgentConfig, HostFacts } from "./config.ts";
import { ScriptedMaster } from "./scripted-master.test.support.ts";

/** What a test's runner tells when a test has ended. */
interface EndedTest {
  readonly task: { readonly result?: { readonly state: string } | undefined };
}

/** A folder, a master and real agents, made anew for each test and ended after it. */
export class AgentFixture {
  dataFolder = "";
  master = new ScriptedMaster();
  /** What agents have warned of in the test under way. It is printed if the test fails. */
  warnings: string[] = [];
  #transport: GrpcTransport | undefined;
  readonly #agents: Agent[] = [];
  readonly #executorServers = new Map<Agent, ExecutorServer>();

  static use(
    beforeEach: (act: () => Promise<void>) => void,
    afterEach: (act: (context: EndedTest) => Promise<void>) => void,
  ): AgentFixture {
    const fixture = new AgentFixture();
    beforeEach(async () => {
      fixture.warnings = [];
      fixture.dataFolder = mkdtempSync(join(tmpdir(), "muster-agent-"));
      fixture.#transport = grpcTransport({});
      fixture.master = new ScriptedMaster();
      await fixture.master.start();
    });
    afterEach(async ({ task }) => {
      for (const agent of [...fixture.#agents]) await fixture.stop(agent, "kill");
      fixture.#transport?.close();
      await fixture.master.stop();
      rmSync(fixture.dataFolder, { recursive: true, force: true });
      if (task.result?.state === "fail" && fixture.warnings.length > 0) console.error(fixture.warnings.join("\n"));
    });
    return fixture;
  }

  /** Where agents log: warnings and errors are kept. */
  get log(): Log {
    const { warnings } = this;
    const keep = (fields: object, message: string): void => {
      const { error } = fields as { error?: Error };
      warnings.push(`${message} ${JSON.stringify(fields)}${error ? ` ${error.message}` : ""}`);
    };
    const log: Log = { debug: () => {}, info: () => {}, warn: keep, error: keep, child: () => log };
    return log;
  }

  /** Where custom executors attach. */
  get executorSocket(): string {
    return executorSocketPath(this.dataFolder);
  }

  /** Starts an agent whose groups can have networks of these modes. Needs root. */
  agentWithNets(
    networkModes: readonly string[],
    config: Partial<AgentConfig> = {},
    bridge: BridgeSettings = bridgeDefaults,
    options: Partial<HostWorldOptions> = {},
  ): Promise<Agent> {
    const { dataFolder } = this;
    const world = hostWorld({ dataFolder, clock: systemClock, log: this.log, hasNets: true, bridge, ...options });
    return this.agent({ host: { ...this.#config().host, networkModes }, ...config }, world);
  }

  /** Starts an agent whose tasks can have containers, and its groups networks of these modes. Needs root. */
  agentWithContainers(
    containers: ContainerHost,
    networkModes: readonly string[] = ["host", "none"],
    options: Partial<HostWorldOptions> = {},
    config: Partial<AgentConfig> = {},
  ): Promise<Agent> {
    const { dataFolder } = this;
    const world = hostWorld({ dataFolder, clock: systemClock, log: this.log, hasNets: true, containers, ...options });
    const host = { ...this.#config().host, networkModes, drivers: ["process", "exec", "oci"] };
    return this.agent({ host, ...config }, world);
  }

  /** What differs of the host, in the place where an agent's configuration has it. */
  configWith(host: Partial<HostFacts>): Partial<AgentConfig> {
    return { host: { ...this.#config().host, ...host } };
  }

  /** What a task has written to its standard output so far. */
  outputOf(taskId: string): string {
    const tasks = join(this.dataFolder, "tasks");
    for (const group of readdirSync(tasks))
      for (const index of readdirSync(join(tasks, group)).filter((name) => /^\d+$/.test(name)))
        if (readFileSync(join(tasks, group, index, "state"), "latin1").includes(`"taskId":"${taskId}"`))
          return readFileSync(join(tasks, group, index, "logs", "stdout.0"), "utf8");
    throw new Error(`no task ${taskId}`);
  }

  /** Starts an agent and waits until it is registered. */
  async agent(config: Partial<AgentConfig> = {}, deps: Partial<AgentDeps> = {}): Promise<Agent> {
    const { dataFolder } = this;
    const registrations = this.master.registrations;
    const agent = createAgent(
      {
        clock: systemClock,
        random: systemRandom,
        transport: this.#transport as GrpcTransport,
        log: this.log,
        ...hostWorld({ dataFolder, clock: systemClock, log: this.log }),
        ...deps,
      },
      { ...this.#config(), ...config },
    );
    await this.#serveExecutors(agent);
    agent.start();
    this.#agents.push(agent);
    await this.master.until(() => this.master.registrations > registrations, "registration");
    return agent;
  }

  stop(agent: Agent, tasks: "leave" | "kill"): Promise<void> {
    const index = this.#agents.indexOf(agent);
    if (index >= 0) this.#agents.splice(index, 1);
    return new Promise((resolve) =>
      agent.stop(() => {
        const server = this.#executorServers.get(agent);
        if (server) server.close(resolve, tasks === "kill" ? "ended" : "live");
        else resolve();
      }, tasks),
    );
  }

  #serveExecutors(agent: Agent): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | undefined): void => (error ? reject(error) : resolve());
      this.#executorServers.set(agent, serveExecutors(agent, this.dataFolder, this.log, settle));
    });
  }

  #config(): AgentConfig {
    return {
      name: "here",
      address: "127.0.0.1:5051",
      masters: [this.master.address],
      dataFolder: this.dataFolder,
      version: "0.1.0",
      shutdownGraceMsMax: 200,
      leavingWaitMs: 100,
      diskFreeFractionMin: 0,
      executorSocket: this.executorSocket,
      taskEnvironment: { PATH: process.env["PATH"] ?? "" },
      host: {
        ip: "127.0.0.1",
        resources: { cpuMillis: 1_000, memoryMiB: 256, diskMiB: 1_000, portCount: 100, custom: {} },
        attributes: [
          { name: "kernel.name", value: "linux" },
          { name: "node.class", value: "small" },
        ],
        drivers: ["process"],
        networkModes: ["host"],
        unavailable: [],
        mayChangeUser: process.getuid?.() === 0,
      },
    };
  }
}
