import { readFileSync } from "node:fs";

/** Between two looks at npm. A look reads two small files of /proc. */
const lookEveryMs = 1_000;

/**
 * npm does not pass SIGTERM on, so a cluster started by `npm start` or `npx` would outlive it. Calls back once the chain of
 * parents up to npm is broken. Does nothing for a cluster that npm did not start.
 */
export function watchNpmParent(
  environment: Readonly<Record<string, string | undefined>>,
  gone: () => void,
): () => void {
  if (environment["npm_command"] === undefined && environment["npm_lifecycle_event"] === undefined) return () => {};
  const chain = parentChain(process.pid);
  if (chain.length === 0) return () => {};
  const timer = setInterval(() => {
    if (parentChain(process.pid, chain.length).join() === chain.join()) return;
    clearInterval(timer);
    gone();
  }, lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Our parent, its parent and so on, up to the process that is npm; empty if none is. */
function parentChain(pid: number, length = 6): number[] {
  const chain: number[] = [];
  let at = pid;
  while (chain.length < length) {
    const parent = parentOf(at);
    if (parent <= 1) break;
    chain.push(parent);
    if (isNpm(parent)) return chain;
    at = parent;
  }
  return isNpm(chain.at(-1) ?? 0) ? chain : [];
}

function parentOf(pid: number): number {
  // The name stands in parentheses and may hold anything: what follows the last one counts.
  const stat = readText(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

function isNpm(pid: number): boolean {
  return /^(npm|npx|node[^\0]*\0[^\0]*\/(npm|npx)[^\0]*)/.test(readText(`/proc/${pid}/cmdline`));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
