import { Worker } from "node:worker_threads";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { sourceBytesMax } from "../syntax/limits.ts";
import { parse } from "../syntax/parse.ts";
import { diagnosticAt, Report, Source } from "../syntax/source.ts";

/** crashed: the reference parser panicked or its thread died, which says nothing about the text. */
export type Verdict = "accept" | "reject" | "crashed" | "too-late" | "too-large";

/** The reference parser can block its thread for seconds. Beyond: the thread is ended, `too-late`. */
export const referenceDeadlineMs = 2000;

/**
 * The worker's code as text: a thread made of text needs no file beside this one, so it is the same from the sources
 * and from the build. The module is loaded only here, in the thread (about 300 ms).
 */
const workerCode = `
const { parentPort, workerData } = require("node:worker_threads");
const { createRequire } = require("node:module");
const reference = createRequire(workerData)("hcl2-parser");
parentPort.on("message", (text) => {
  let verdict = "crashed";
  try {
    verdict = reference.parseToString(text)[1] ? "reject" : "accept";
  } catch {}
  parentPort.postMessage(verdict);
});
`;

/** Asks HashiCorp's grammar about one text, in a thread of its own, within the deadline. */
export async function askReference(text: string, deadlineMs = referenceDeadlineMs): Promise<Verdict> {
  if (Buffer.byteLength(text) > sourceBytesMax) return "too-large";
  const worker = new Worker(workerCode, { eval: true, workerData: import.meta.url, stdout: true, stderr: true });
  try {
    return await new Promise<Verdict>((resolve) => {
      const timer = setTimeout(() => resolve("too-late"), deadlineMs);
      const settle = (verdict: Verdict): void => {
        clearTimeout(timer);
        resolve(verdict);
      };
      worker.once("message", (verdict: Verdict) => settle(verdict));
      worker.once("error", () => settle("crashed"));
      worker.once("exit", () => settle("crashed"));
      worker.postMessage(text);
    });
  } finally {
    await worker.terminate();
  }
}

/** A warning if our grammar accepts the text and HashiCorp's does not; a text that ours refuses is not asked about. */
export async function crossCheck(source: { readonly file: string; readonly text: string }): Promise<Diagnostic[]> {
  const report = new Report();
  const made = new Source(source.file, source.text);
  parse(made, report);
  if (report.errorCount > 0) return [];
  const verdict = await askReference(source.text);
  if (verdict !== "reject") return [];
  const place = { start: 0, end: 0 };
  return [
    diagnosticAt("warning", made, place, {
      code: "reference/rejected",
      summary: "accepted here, but not by HashiCorp's HCL grammar",
      detail: "Nomad would not read this file. Please report it: the two grammars should agree.",
    }),
  ];
}
