import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { AssignedPort } from "@muster/proto";
import ipaddr from "ipaddr.js";
import { holderOf } from "../../ports/proc-net.ts";
import type { NetSpec } from "../../world/nets.ts";
import { toolTimeoutMs } from "../kernel/run-tool.ts";
import { protocolsOf } from "./ruleset.ts";

const programPath = fileURLToPath(new URL("../../../shim/hold-ports.pl", import.meta.url));

interface Question {
  resolve(answer: string): void;
  reject(error: Error): void;
}

/** So often another is started for one command, when those before have ended. */
const startsMax = 3;

class HolderEnded extends Error {
  constructor() {
    super("the process that holds ports has ended");
  }
}

/** One that is being closed may still be there when the next one is made: each has questions of its own. */
interface Connection {
  readonly socket: Socket;
  readonly questions: Question[];
}

/**
 * Keeps processes of the host from ports that lead to groups. The sockets are those of one small process per agent, which
 * is started at the first port, outlives the agent, and ends when it is left with nothing to hold and nobody to serve.
 */
export class PortHolder {
  readonly #path: string;
  #connection: Promise<Connection> | undefined;

  constructor(owner: string) {
    this.#path = `/run/muster-ports-${owner}`;
  }

  /** Holds the group's ports until they are let go. Throws, and holds none of them, if one is bound by somebody. */
  async hold(spec: NetSpec): Promise<void> {
    const ports = spec.ports.flatMap((port) =>
      protocolsOf(port).map((protocol) => `${protocol}:${port.number}${addressText(port)}`),
    );
    if (ports.length === 0) return;
    const answer = await this.#askOrStart(`hold ${spec.key} ${ports.join(" ")}`);
    if (answer === "ok") return;
    const [, protocol, number, why] = /^fail (tcp|udp):(\d+)\S* (.*)/.exec(answer) ?? [];
    const holder = await holderOf(protocol === "udp" ? "udp" : "tcp", Number(number));
    const text = holder ? `port ${number} is held by ${holder}` : `port ${number} can't be held: ${why}`;
    throw new Error(`PORT_IN_USE: ${text}`);
  }

  async free(key: string): Promise<void> {
    if (await this.#find()) await this.#ask(`free ${key}`);
  }

  /** Keys of the groups whose ports are held. */
  async keys(): Promise<string[]> {
    if (!(await this.#find())) return [];
    return (await this.#ask("list")).split(" ").slice(1);
  }

  /** Leaves it alone: it ends if it holds nothing. */
  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    this.#connection = undefined;
    if (!connection || connection.socket.destroyed) return;
    await new Promise<void>((resolve) => {
      connection.socket.ref();
      connection.socket.once("close", () => resolve());
      connection.socket.end();
    });
  }

  /** One that an earlier life of the agent has started; false if there is none. */
  async #find(): Promise<boolean> {
    this.#connection ??= this.#connect().catch((error) => {
      this.#connection = undefined;
      throw error;
    });
    return await this.#connection.then(
      () => true,
      () => false,
    );
  }

  async #open(): Promise<Connection> {
    try {
      await this.#start();
      return await this.#connect();
    } catch (error) {
      this.#connection = undefined;
      throw new Error(`ports can't be held: ${(error as Error).message}`);
    }
  }

  #connect(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.#path });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        const connection = { socket, questions: [] };
        this.#listen(connection);
        resolve(connection);
      });
    });
  }

  #listen(connection: Connection): void {
    const { socket, questions } = connection;
    const own = this.#connection;
    let text = "";
    socket.unref();
    socket.on("data", (data) => {
      text += data;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) questions.shift()?.resolve(line);
      if (questions.length === 0) socket.unref();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#connection === own) this.#connection = undefined;
      for (const { reject } of questions.splice(0)) reject(new HolderEnded());
    });
  }

  #start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = spawn("perl", [programPath, this.#path], {
        cwd: "/",
        detached: true,
        env: {},
        stdio: ["ignore", "pipe", "ignore"],
      });
      const timer = setTimeout(() => reject(new Error("it does not start")), toolTimeoutMs);
      // It says that it is ready, or ends because it can't be.
      const done = (): void => {
        clearTimeout(timer);
        child.stdout.destroy();
        resolve();
      };
      child.once("error", reject);
      child.stdout.once("data", done);
      child.stdout.once("end", done);
      child.unref();
    });
  }

  /** It ends when it is left, maybe just as it is asked: then another is started. */
  async #askOrStart(line: string): Promise<string> {
    for (let starts = 0; ; starts++) {
      if (!(await this.#find())) this.#connection ??= this.#open();
      try {
        return await this.#ask(line);
      } catch (error) {
        if (!(error instanceof HolderEnded) || starts === startsMax) throw error;
      }
    }
  }

  async #ask(line: string): Promise<string> {
    const connection = await this.#connection;
    if (!connection || connection.socket.destroyed) throw new HolderEnded();
    return await new Promise((resolve, reject) => {
      connection.questions.push({ resolve, reject });
      // Nobody is kept from ending by the connection itself, only by an answer that is awaited.
      connection.socket.ref();
      connection.socket.write(`${line}\n`);
    });
  }
}

/** The one address that a port is held on, in hexadecimal: the program that holds it reads no others. */
function addressText({ hostNetwork, ip }: AssignedPort): string {
  return hostNetwork === undefined ? "" : `:${Buffer.from(ipaddr.parse(ip).toByteArray()).toString("hex")}`;
}
