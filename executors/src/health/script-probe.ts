import { taskFolders } from "../agent/folders.ts";
import { enter } from "../exec/enter.ts";
import { signalName } from "../shim/shim-files.ts";
import type { ScriptTarget } from "../world/prober.ts";
import type { Dialer } from "./dialer.ts";
import type { Probe } from "./probe.ts";

/** Bytes of the dialer's answer: its line, and what of the command's output it kept. */
const answerBytesMax = 8_192;

/**
 * Passes on exit code 0. The command runs under the dialer, beside its task; when the connection ends, for instance at
 * the timeout, the dialer ends the command and everything that it has started.
 */
export function scriptProbe(dialer: Dialer, dataFolder: string): Probe<ScriptTarget> {
  return (target, _timeoutMs, { answer, closed }) => {
    let end = dialer.ask(encode(target, taskFolders(dataFolder, target.id).work), (socket) => {
      if (socket instanceof Error) {
        answer(false, socket.message);
        closed();
        return;
      }
      end = () => socket.destroy();
      let text = "";
      socket.on("data", (bytes: Buffer) => {
        text = (text + bytes.toString()).slice(0, answerBytesMax);
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        const { passed, message } = verdict(text);
        answer(passed, message);
        closed();
      });
    });
    return () => end();
  };
}

function encode(target: ScriptTarget, folder: string): Buffer {
  const { namespaces, cgroups } = enter(target.pid);
  const fields = [
    `pid=${target.pid}`,
    `start=${target.startTicks}`,
    `cwd=${folder}`,
    ...namespaces.map((kind) => `namespace=${kind}`),
    ...cgroups.map((path) => `cgroup=${path}/cgroup.procs`),
    `command=${target.command}`,
    ...target.arguments.map((argument) => `arg=${argument}`),
    ...Object.entries(target.environment).map(([name, value]) => `env=${name}=${value}`),
  ];
  const body = Buffer.from(fields.map((field) => `${field}\0`).join(""));
  return Buffer.concat([Buffer.from(`run ${body.length}\n`), body]);
}

function verdict(text: string): { passed: boolean; message: string } {
  const newline = text.indexOf("\n");
  const line = newline < 0 ? text : text.slice(0, newline);
  const output = newline < 0 ? "" : text.slice(newline + 1).trim();
  const [, code, signal] = /^exit (\d+) (\d+)$/.exec(line) ?? [];
  if (code === undefined)
    return { passed: false, message: line.replace(/^error /, "") || "the dialer closed the connection" };
  const outcome = Number(signal) === 0 ? `exit code ${code}` : `ended by ${signalName(Number(signal))}`;
  return { passed: outcome === "exit code 0", message: output === "" ? outcome : `${outcome}: ${output}` };
}
