import { statSync } from "node:fs";
import { Engine, messageOf } from "./engine.ts";

/** Where an Engine listens unless somebody has set it up otherwise. */
export const engineSocketDefault = "/var/run/docker.sock";

export type FoundEngine =
  | { readonly works: true; readonly version: string; readonly apiVersion: string }
  | { readonly works: false; readonly reason: string };

/** Finds out whether an Engine that can run tasks answers at a socket, by asking it. */
export async function findEngine(socket: string): Promise<FoundEngine> {
  if (process.platform !== "linux") return no("agents run on Linux only");
  if (process.getuid?.() !== 0) return no("the agent is not root: run it with sudo");
  if (!statSync(socket, { throwIfNoEntry: false })?.isSocket())
    return no(`no Engine listens at ${socket} (--docker-socket names another place): apt-get install docker.io`);
  try {
    const answer = await new Engine(socket).ask({ method: "GET", path: "/version" });
    if (answer.status !== 200) return no(`the Engine at ${socket} does not say its version: ${messageOf(answer)}`);
    return judge(socket, JSON.parse(answer.body.toString("utf8")));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED") return no(`nothing answers at ${socket}: systemctl start docker`);
    return no(`the Engine at ${socket} does not answer: ${message}`);
  }
}

interface VersionAnswer {
  readonly Version?: unknown;
  readonly ApiVersion?: unknown;
  readonly Os?: unknown;
  readonly Components?: readonly { readonly Name?: unknown; readonly Version?: unknown }[];
}

/** What of an answer matters. Pure. */
export function judge(socket: string, answer: VersionAnswer): FoundEngine {
  const { Version: version, ApiVersion: apiVersion, Os: os, Components: components } = answer;
  if (typeof version !== "string" || typeof apiVersion !== "string")
    return no(`what answers at ${socket} is no Engine of Docker's API`);
  if (os !== "linux") return no(`the Engine ${version} at ${socket} runs containers of ${os}, not of linux`);
  const init = Array.isArray(components) ? components.find(({ Name }) => Name === "docker-init") : undefined;
  // As the first process of its namespace a task's program would be deaf to every signal that it does not handle.
  if (!init || init.Version === "" || init.Version === "N/A")
    return no(`the Engine ${version} at ${socket} has no docker-init: apt-get install tini`);
  return { works: true, version, apiVersion };
}

function no(reason: string): FoundEngine {
  return { works: false, reason };
}
