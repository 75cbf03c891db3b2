import { createConnection, type Socket } from "node:net";
import type { Cancel } from "@muster/foundation";
import ipaddr from "ipaddr.js";
import type { ProbePlace } from "../world/prober.ts";
import { type DialerOptions, DialerProcess } from "./dialer-process.ts";

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
    const cancel = this.open(line, (socket) => {
      if (socket instanceof Error) {
        done(socket);
        return;
      }
      let answer = "";
      const finish = (result: Socket | Error): void => {
        if (isOver) return;
        isOver = true;
        socket.off("readable", read);
        socket.off("close", closed);
        socket.off("error", ignore);
        if (result instanceof Error) socket.on("error", ignore).destroy();
        done(result);
      };
      // Byte by byte: what follows the line is the task's, and stays in the socket for whoever reads it next.
      const read = (): void => {
        for (let byte = socket.read(1); byte !== null && !isOver; byte = socket.read(1)) {
          answer += byte;
          if (answer === "ok\n") finish(socket);
          else if (answer.endsWith("\n") || answer.length >= answerBytesMax)
            finish(new Error(answer.trim().replace(/^error /, "")));
          if (isOver) return;
        }
      };
      const closed = (): void => finish(new Error("the dialer closed the connection"));
      socket.on("readable", read).on("close", closed).on("error", ignore);
    });
    return () => {
      isOver = true;
      cancel();
    };
  }

  /** A connection on which the request has been written. After cancelling nothing is left of it. */
  open(request: string | Uint8Array, opened: (result: Socket | Error) => void): Cancel {
    let socket: Socket | undefined;
    let isOver = false;
    let cancelWait: Cancel = () => {};
    const attempt = (triesLeft: number): void => {
      cancelWait = this.#process.whenReady((path) => {
        if (path instanceof Error) {
          opened(path);
          return;
        }
        socket = createConnection({ path });
        socket.once("connect", () => {
          socket?.off("error", refused);
          if (isOver || !socket) return;
          socket.write(request);
          opened(socket);
        });
        const refused = (error: Error): void => {
          // It died, and its end has not been heard of yet.
          this.#process.refused(path);
          if (isOver) return;
          if (triesLeft > 0) attempt(triesLeft - 1);
          else opened(error);
        };
        socket.once("error", refused);
      });
    };
    attempt(1);
    return () => {
      isOver = true;
      cancelWait();
      socket?.on("error", ignore).destroy();
    };
  }

  stop(): void {
    this.#process.stop();
  }
}

function ignore(): void {}
