import { randomBytes } from "node:crypto";
import { constants, promises as fs } from "node:fs";
import { MusterError } from "@muster/foundation";
import { type TaskFolders, taskFolders } from "../agent/folders.ts";
import { heldPath, walk } from "../files/walk.ts";
import type { MadeFile, Materials, MaterialsFound, MaterialsWish, SecretWish, TaskPlace } from "../world/materials.ts";

/** Bytes of one secret. */
export const secretBytesMax = 64 * 1024;
/** Bytes of a file that holds a template. */
const sourceBytesMax = 128 * 1024;

export interface MaterialsSettings {
  /** Absolute path of the folder of secrets, with one below it for each role; empty: there are none. */
  readonly secretsFolder: string;
  /** Variables of the agent that tasks may be given, with their values. */
  readonly secretVariables: Readonly<Record<string, string>>;
}

/** Files of this host. */
export function nodeMaterials(dataFolder: string, settings: MaterialsSettings): Materials {
  return {
    read: (wish, done) => void read(dataFolder, settings, wish).then(done),
    write: (file, done) =>
      void write(dataFolder, file).then(
        () => done(undefined),
        (error: Error) => done(error.message),
      ),
  };
}

async function read(dataFolder: string, settings: MaterialsSettings, wish: MaterialsWish): Promise<MaterialsFound> {
  const folders = taskFolders(dataFolder, wish.id);
  const sources: string[] = [];
  const secrets: string[] = [];
  for (const place of wish.sources) {
    const text = await readText(rootOf(folders, place), place.names, sourceBytesMax);
    if (text instanceof Error) return { ok: false, problem: `template ${place.names.join("/")}: ${text.message}` };
    sources.push(text);
  }
  for (const secret of wish.secrets) {
    const text = await readSecret(settings, wish.role, secret);
    if (text instanceof Error) return { ok: false, problem: `secret ${secret.name}: ${text.message}` };
    secrets.push(text);
  }
  return { ok: true, sources, secrets };
}

async function readSecret(
  { secretsFolder, secretVariables }: MaterialsSettings,
  role: string,
  { provider, path }: SecretWish,
): Promise<string | Error> {
  if (provider === "env") {
    if (Object.hasOwn(secretVariables, path)) return secretVariables[path] ?? "";
    return new Error(
      `this agent gives no variable ${path} to tasks; its operator names those that it does in secret_env`,
    );
  }
  if (secretsFolder === "")
    return new Error("this agent has no folder of secrets; its operator names one in secrets_dir");
  const names = [...role.split("/"), ...path.split("/")].filter((name) => name !== "");
  const text = await readText(secretsFolder, names, secretBytesMax);
  // A line break at the end is the editor's, not the secret's.
  return typeof text === "string" ? text.replace(/\r?\n$/, "") : text;
}

/** Reads a file whose names lead through no link. */
async function readText(root: string, names: readonly string[], bytesMax: number): Promise<string | Error> {
  const shown = names.join("/");
  if (names.length === 0 || names.some((name) => name === ".." || name.includes("\0")))
    return new Error(`${shown}: is no path below the folder`);
  let file: fs.FileHandle | undefined;
  try {
    const found = await walk(root, names);
    try {
      if (!found.stats.isFile()) return new Error(`${shown} is no ordinary file`);
      file = await fs.open(heldPath(found.handle), constants.O_RDONLY | constants.O_NONBLOCK);
    } finally {
      await found.handle.close();
    }
    const bytes = Buffer.alloc(bytesMax + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > bytesMax) return new Error(`${shown} has more than ${bytesMax} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, bytesRead));
  } catch (error) {
    if (error instanceof MusterError) return new Error(error.kind === "not-found" ? `no file ${shown}` : error.message);
    if (error instanceof TypeError) return new Error(`${shown} is no text in UTF-8`);
    return error as Error;
  } finally {
    await file?.close();
  }
}

/**
 * Written beside its place and renamed onto it, both in a folder that is held: what a task makes of the names above it
 * meanwhile leads nowhere else, and a link at the place itself is replaced, not followed.
 */
async function write(dataFolder: string, { id, place, text, mode, uid, gid }: MadeFile): Promise<void> {
  const folders = taskFolders(dataFolder, id);
  const root = rootOf(folders, place);
  await fs.mkdir(folders.task, { recursive: true, mode: 0o711 });
  await fs.mkdir(root, { recursive: true, mode: 0o755 });
  const names = [...place.names];
  const name = names.pop();
  if (name === undefined) throw new Error("is no file");
  const folder = await makeFolders(root, names);
  try {
    const beside = `${heldPath(folder)}/.${randomBytes(8).toString("hex")}.new`;
    const file = await fs.open(
      beside,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await file.writeFile(text);
      if (uid !== undefined || gid !== undefined)
        await file.chown(uid ?? process.getuid?.() ?? 0, gid ?? process.getgid?.() ?? 0);
      await file.chmod(mode);
      await fs.rename(beside, `${heldPath(folder)}/${name}`);
    } catch (error) {
      await fs.rm(beside, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } finally {
    await folder.close();
  }
}

/** Holds the folder of those names, and makes what is missing of it. O(names²), and names are few. */
async function makeFolders(root: string, names: readonly string[]): Promise<fs.FileHandle> {
  for (const [index, name] of names.entries()) {
    const { handle } = await walk(root, names.slice(0, index));
    try {
      await fs.mkdir(`${heldPath(handle)}/${name}`, { mode: 0o755 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      await handle.close();
    }
  }
  const { handle, stats } = await walk(root, names);
  if (stats.isDirectory()) return handle;
  await handle.close();
  throw new Error(`${names.join("/")} is no folder; links are not followed`);
}

function rootOf({ work, shared }: TaskFolders, { folder }: TaskPlace): string {
  return folder === "shared" ? shared : work;
}
