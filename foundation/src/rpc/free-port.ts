import { createServer } from "node:net";

/** Below what clusters of tests listen at, and what tasks are given. */
const portFirst = 1_200;
const portLast = 4_999;

/**
 * For tests: a port of loopback that nobody listens at, for servers that begin later or come back to it. None of those that the
 * kernel gives to whoever asks for any: before the server is there, another connection may have it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portFirst + Math.floor(Math.random() * (portLast - portFirst + 1));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
