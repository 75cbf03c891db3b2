import { createConnection, type Socket } from "node:net";
import type { Cancel } from "@muster/foundation";
import ipaddr from "ipaddr.js";
import type { ProbePlace } from "../world/prober.ts";
import { type DialerOptions, DialerProcess } from "./dialer-process.ts";

/** A dialer that dies takes a connection with it, and may refuse one before its end is heard of. */
const repetitionsMax = 2;
const silence = "the dialer closed the connection";

/** Bytes of the line in which the dialer answers. */
const answerBytesMax = 4_096;

/** Asks the agent's dialer: for connections from other namespaces, and for commands beside tasks. */
export class Dialer {
  readonly #process: DialerProcess;

  constructor(options: DialerOptions) {
    this.#process = new DialerProcess(options);
  }

  /** Of the dialer's process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** A connection to the task. Its own errors are from then on the caller's. */
  dial({ ip, port, namespace = "" }: ProbePlace, done: (result: Socket | Error) => void): Cancel {
    if (!ipaddr.isValid(ip)) {
      const timer = setImmediate(() => done(new Error(`${ip} is no address`)));
      return () => clearImmediate(timer);
    }
    const address = Buffer.from(ipaddr.parse(ip).toByteArray()).toString("hex");
    const line = `dial ${address} ${port}${namespace === "" ? "" : ` ${namespace}`}\n`;
    let isOver = false;
    const cancel = this.ask(line, (socket) => {
      if (socket instanceof Error) {
        done(socket);
        return;
      }
      let answer = "";
      const finish = (result: Socket | Error): void => {
        if (isOver) return;
        isOver = true;
        socket.off("readable", read).off("close", closed).off("error", ignore);
        if (result instanceof Error) socket.on("error", ignore).destroy();
        done(result);
      };
      // Byte by byte: what follows the line is the task's, and stays in the socket for whoever reads it next.
      const read = (): void => {
        for (let byte = socket.read(1); byte !== null && !isOver; byte = isOver ? null : socket.read(1)) {
          answer += byte;
          if (answer === "ok\n") finish(socket);
          else if (answer.endsWith("\n") || answer.length >= answerBytesMax)
            finish(new Error(answer.trim().replace(/^error /, "")));
        }
      };
      const closed = (): void => finish(new Error(silence));
      socket.on("readable", read).on("close", closed).on("error", ignore);
      read();
    });
    return () => {
      isOver = true;
      cancel();
    };
  }

  /**
   * Sends a request; gives the connection once there is something of an answer to be read. A dialer that dies before
   * that is replaced and asked again. After cancelling nothing is left of the connection.
   */
  ask(request: string | Uint8Array, answered: (result: Socket | Error) => void): Cancel {
    let end: Cancel = () => {};
    const attempt = (triesLeft: number): void => {
      end = this.#process.whenReady((path) => {
        if (path instanceof Error) {
          answered(path);
          return;
        }
        const socket = createConnection({ path });
        let why = new Error(silence);
        let isAnswered = false;
        const failed = (error: Error): void => {
          why = error;
          // Nobody listens there: it died, and its end has not been heard of yet.
          if ((error as NodeJS.ErrnoException).syscall === "connect") this.#process.refused(path);
        };
        const readable = (): void => {
          if (socket.readableLength === 0) return;
          isAnswered = true;
          socket.off("readable", readable).off("error", failed).off("close", closed);
          answered(socket);
        };
        const closed = (): void => {
          if (triesLeft > 0) attempt(triesLeft - 1);
          else answered(why);
        };
        socket.on("error", failed).on("readable", readable).on("close", closed);
        socket.write(request);
        end = () => {
          if (!isAnswered) socket.off("close", closed).off("readable", readable);
          socket.on("error", ignore).destroy();
        };
      });
    };
    attempt(repetitionsMax);
    return () => end();
  }

  stop(): void {
    this.#process.stop();
  }
}

function ignore(): void {}
