import { createInterface } from "node:readline";
import { usageError } from "../cli-error.ts";
import type { Invocation } from "../command.ts";

/** Asks before something is destroyed; `--yes` answers in advance. Without a terminal nobody can be asked. */
export async function confirmed(invocation: Invocation, effect: string): Promise<boolean> {
  if (invocation.options.flag("yes")) return true;
  if (process.stdin.isTTY !== true || invocation.out.json)
    throw usageError(`${effect}, and there is no terminal to ask at`, "the same command with --yes");
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) => {
      dialogue.question(`${effect}. ok? [y/N] `, resolve);
      dialogue.on("close", () => resolve(""));
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    dialogue.close();
  }
}
