import type { TerminalSize } from "@muster/proto";

/** The terminal of whoever typed the command, while another program has it. */
export interface LocalTerminal {
  size(): TerminalSize;
  /** Gives it back as it was. Safe to call again. */
  restore(): void;
}

/**
 * Hands every key on as it is typed, Ctrl-C too, until `restore`, or until this process ends in whatever way it can
 * notice. `resized` is called when the window changes. Nothing happens to what is no terminal.
 */
export function takeTerminal(
  resized: (size: TerminalSize) => void,
  stdin: NodeJS.ReadStream = process.stdin,
  stdout: NodeJS.WriteStream = process.stdout,
): LocalTerminal {
  const size = (): TerminalSize => ({ columns: stdout.columns ?? 0, rows: stdout.rows ?? 0 });
  const tell = (): void => resized(size());
  let isTaken = stdin.isTTY === true;
  const restore = (): void => {
    stdout.off("resize", tell);
    process.off("exit", restore);
    if (!isTaken) return;
    isTaken = false;
    stdin.setRawMode(false);
  };
  if (isTaken) stdin.setRawMode(true);
  process.on("exit", restore);
  if (stdout.isTTY) stdout.on("resize", tell);
  return { size, restore };
}
