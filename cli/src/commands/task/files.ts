import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { basename } from "node:path";
import type { Writable } from "node:stream";
import type { FileEntry, TaskRecord } from "@muster/proto";
import { CliError, usageError } from "../../cli-error.ts";
import type { CommandModule, Invocation } from "../../command.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { rfc3339, timeText } from "../../output/times.ts";
import { findTask } from "./find.ts";

/** Bytes that are asked for at a time: less than what a master holds back for a slow reader. */
const windowBytes = 8 * 1024 * 1024;
/** Files of one folder that are shown. */
const filesShownMax = 100_000;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { args, options, out } = invocation;
    const [given = "", path = ""] = args;
    const download = options.flag("download") ? "" : options.text("download");
    if (options.flag("cat") && download !== undefined) throw usageError("--cat and --download exclude each other");
    if (options.flag("cat") && out.json) throw usageError("--cat prints the file itself, which is no JSON");
    const task = await findTask(client, given, options.text("framework"));
    if (options.flag("cat")) return readFile(client, task, path, process.stdout).then(() => exitCode.done);
    if (download !== undefined) return save(client, task, path, download, invocation);
    return list(client, task, path, invocation);
  });

async function list(client: Client, task: TaskRecord, path: string, { out }: Invocation): Promise<number> {
  const { taskId, frameworkId } = task;
  const files: FileEntry[] = [];
  for (let more = true; more && files.length < filesShownMax; ) {
    const request = message("ListFilesRequest", { taskId, frameworkId, path, after: files.at(-1)?.name ?? "" });
    const answer = await client.call("Tasks.ListFiles", request);
    files.push(...answer.files);
    more = answer.more && answer.files.length > 0;
  }
  out.data(
    files.map(({ changedAt, mode, target, ...file }) => ({
      ...file,
      changedAt: rfc3339(changedAt),
      mode: mode.toString(8),
      ...(target === "" ? {} : { target }),
    })),
  );
  const nowMs = Date.now();
  if (files.length === 0) out.line("no files");
  else
    out.line(
      table(
        ["MODE", "SIZE", "CHANGED", "NAME"],
        files.map((file) => [
          file.mode.toString(8).padStart(4, "0"),
          String(file.sizeBytes),
          timeText(file.changedAt, nowMs, out.isTerminal),
          `${printable(file.name)}${{ folder: "/", link: ` -> ${printable(file.target)}` }[file.kind] ?? ""}`,
        ]),
      ),
    );
  return exitCode.done;
}

async function save(
  client: Client,
  task: TaskRecord,
  path: string,
  to: string,
  { out, options }: Invocation,
): Promise<number> {
  const name = to === "" ? basename(path) : to;
  if (name === "") throw usageError("--download needs the path of a file");
  if (existsSync(name) && !options.flag("force"))
    throw new CliError(exitCode.failed, `${name} is there already`, {
      kind: "exists",
      hint: "--force to overwrite it",
    });
  const partial = `${name}.part`;
  const stream = createWriteStream(partial);
  try {
    const bytes = await readFile(client, task, path, stream);
    await new Promise<void>((resolve, reject) =>
      stream.end((error?: Error | null) => (error ? reject(error) : resolve())),
    );
    renameSync(partial, name);
    out.data({ task: task.taskId, path, file: name, bytes });
    out.line(`wrote ${name} (${bytes} bytes)`);
    return exitCode.done;
  } catch (error) {
    stream.destroy();
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Copies a file window by window, so that a slow reader makes the agent wait instead of filling memory on the way. */
async function readFile(client: Client, task: TaskRecord, path: string, to: Writable): Promise<number> {
  const { taskId, frameworkId } = task;
  let failure: Error | undefined;
  to.on("error", (error) => {
    failure = error;
  });
  let offset = 0;
  let identity: string | undefined;
  for (let size = Number.POSITIVE_INFINITY; offset < size; ) {
    const request = message("ReadFileRequest", { taskId, frameworkId, path, offset, length: windowBytes });
    const before = offset;
    const { ended } = client.follow("Tasks.ReadFile", request, (piece) => {
      identity ??= piece.identity;
      if (identity !== piece.identity)
        failure ??= new CliError(exitCode.failed, `${path} was replaced while it was read`, { kind: "changed" });
      if (failure) return;
      offset += piece.data.length;
      size = piece.sizeBytes;
      to.write(piece.data);
    });
    const error = (await ended) ?? failure;
    if (error) throw error;
    if (offset === before) break;
    if (to.writableNeedDrain)
      await Promise.race([new Promise((r) => to.once("drain", r)), new Promise((r) => to.once("error", r))]);
  }
  if (failure) throw failure;
  return offset;
}

/** Names are a task's to choose: what would move a terminal's cursor is shown by its number. */
function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
