import { didYouMean } from "../diagnostics/suggest.ts";
import type { DecodedBlock } from "./decoded.ts";

const signals =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM CHLD CONT STOP TSTP TTIN TTOU WINCH"
    .split(" ")
    .map((name) => `SIG${name}`);

/** The signal that an attribute names, with SIG or without. */
export function signalNamed(block: DecodedBlock, attribute: string, otherwise: string): string {
  const written = block.text(attribute) ?? otherwise;
  const name = written.startsWith("SIG") ? written : `SIG${written}`;
  if (!signals.includes(name)) {
    block.error(attribute, {
      code: "job/bad-signal",
      summary: `no signal "${written}"`,
      hint: didYouMean(name, signals),
    });
  }
  return name;
}
