import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import type { FileReader } from "@muster/jobspecs";

/** Bytes of one file that a jobspec reads. */
export const fileBytesMax = 1024 * 1024;

/** Entries of a folder that fileset() looks at, with those of the folders below. */
export const filesetEntriesMax = 10_000;

/**
 * What file(), templatefile(), include and so on may see: the folder that the jobspec stands in and what is below it. A
 * link out of it is as much outside as a path with "..".
 */
export function folderFiles(folder: string): FileReader {
  const root = realpathSync(folder);
  const inside = (path: string): string => {
    const whole = resolve(root, path);
    const outside = (real: string): boolean => real !== root && !real.startsWith(root === sep ? sep : root + sep);
    const refusal = new Error(`"${path}" is outside of ${root}, the folder of the jobspec`);
    if (outside(whole)) throw refusal;
    let real: string;
    try {
      real = realpathSync(whole);
    } catch {
      // It is not there, which is for the reading to say; a part of the way must not lead out, though.
      return whole;
    }
    if (outside(real)) throw refusal;
    return real;
  };
  const read = (path: string): Buffer => {
    const whole = inside(path);
    const found = statSync(whole, { throwIfNoEntry: false });
    if (!found) throw new Error(`no file "${path}" in ${root}`);
    if (!found.isFile()) throw new Error(`"${path}" is no file`);
    if (found.size > fileBytesMax) throw new Error(`"${path}" is larger than ${fileBytesMax} bytes`);
    return readFileSync(whole);
  };
  return {
    read: (path) => {
      const bytes = read(path);
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      } catch {
        throw new Error(`"${path}" is no text in UTF-8; filebase64() reads it`);
      }
    },
    readBase64: (path) => read(path).toString("base64"),
    exists: (path) => statSync(inside(path), { throwIfNoEntry: false })?.isFile() === true,
    absolute: (path) => resolve(root, path),
    home: () => homedir(),
    list: (folder, pattern) => {
      const whole = inside(folder);
      const wanted = globExpression(pattern);
      return filesBelow(whole)
        .map((path) => relative(whole, path))
        .filter((path) => wanted.test(path))
        .sort();
    },
  };
}

/** Links to folders are not followed: they could lead out, or round and round. */
function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const open = [folder];
  let seen = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const name of readdirSync(next)) {
      if (++seen > filesetEntriesMax) throw new Error(`more than ${filesetEntriesMax} files in "${folder}"`);
      const path = join(next, name);
      const entry = lstatSync(path);
      if (entry.isDirectory()) open.push(path);
      else if (entry.isFile()) found.push(path);
    }
  }
  return found;
}

/** `*` and `?` stay within a folder, `**` does not. */
export function globExpression(pattern: string): RegExp {
  const text = pattern.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (found) => {
    if (found === "**/") return "(?:.*/)?";
    if (found === "**") return ".*";
    if (found === "*") return "[^/]*";
    return found === "?" ? "[^/]" : `\\${found}`;
  });
  return new RegExp(`^${text}$`);
}
