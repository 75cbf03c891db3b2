import { execFileSync } from "node:child_process";
import { test } from "vitest";

/** What root tests need of a machine; a test that lacks it is skipped and says why. */
export function lacking(...tools: readonly string[]): string {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = tools.filter((tool) => !isThere(tool));
  return missing.length === 0 ? "" : `needs ${missing.join(", ")}`;
}

function isThere(tool: string): boolean {
  try {
    execFileSync("which", [tool], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

type Act = () => Promise<void> | void;

/** A test that needs root and these tools; elsewhere it is skipped, and its name says for want of what. */
export function testWith(tools: readonly string[], name: string, act: Act, timeoutMs?: number): void {
  testUnless(lacking(...tools), name, act, timeoutMs);
}

/** A test that is skipped for that reason; empty: it runs. */
export function testUnless(reason: string, name: string, act: Act, timeoutMs?: number): void {
  if (reason === "") test(name, act, timeoutMs);
  else test.skip(`${name} (skipped: ${reason})`, act);
}
