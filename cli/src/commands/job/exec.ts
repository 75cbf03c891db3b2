import { CliError, toCliError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { findJob } from "./find.ts";
import { chooseInstances, firstRunning, frameworkOf } from "./instances.ts";

/** Bytes of our standard input that one message carries. */
const inputBytesMax = 64 * 1024;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, args, options } = invocation;
    const [name = "", ...command] = args;
    const job = await findJob(client, name);
    const instance = firstRunning(job, chooseInstances(job, options.text("instance")));
    const frameworkId = await frameworkOf(client, instance.taskId);
    out.say(`${instance.instance} on ${instance.agentName}`);
    let collected = { stdout: "", stderr: "" };
    return new Promise<number>((resolve, reject) => {
      let code: number | undefined;
      const outlet = client.open("Tasks.Exec", {
        receive: ({ stdout, stderr, end }) => {
          if (out.json) {
            collected = {
              stdout: collected.stdout + stdout.toString(),
              stderr: collected.stderr + stderr.toString(),
            };
          } else {
            if (stdout.length > 0) process.stdout.write(stdout);
            if (stderr.length > 0) process.stderr.write(stderr);
          }
          if (end) code = end.exitCode;
        },
        drained: () => process.stdin.resume(),
        closed: (error) => {
          process.stdin.pause();
          if (code === undefined) {
            const cause = error === undefined ? "the connection ended" : toCliError(error).message;
            reject(error ?? new CliError(exitCode.failed, `the command's end is not known: ${cause}`));
            return;
          }
          out.data({ instance: instance.instance, exitCode: code, ...collected });
          resolve(code);
        },
      });
      outlet.send(
        message("ExecRequest", {
          start: { frameworkId, taskId: instance.taskId, command, tty: false, size: null },
        }),
      );
      const forward = (signal: "SIGINT" | "SIGTERM"): void => outlet.send(message("ExecRequest", { signal }));
      process.on("SIGINT", () => forward("SIGINT"));
      process.on("SIGTERM", () => forward("SIGTERM"));
      // At a terminal nobody expects a command without a tty to take the keyboard away, unless it reads.
      process.stdin.on("data", (bytes: Buffer) => {
        for (let at = 0; at < bytes.length; at += inputBytesMax)
          outlet.send(message("ExecRequest", { stdin: bytes.subarray(at, at + inputBytesMax) }));
        if (!outlet.ready()) process.stdin.pause();
      });
      process.stdin.on("end", () => outlet.send(message("ExecRequest", { stdinEnd: true })));
      process.stdin.on("error", () => outlet.send(message("ExecRequest", { stdinEnd: true })));
    });
  });
