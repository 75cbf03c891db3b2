import { constants, createHash, privateDecrypt, randomBytes, randomUUID } from "node:crypto";
import { EffortSpent, stepsMax } from "../evaluate/effort.ts";
import type { FileReader, Surroundings } from "../evaluate/scope.ts";
import { Taint } from "../evaluate/taint.ts";
import type { Report, Source } from "../syntax/source.ts";

/** What of the machine a compilation may use; each has an effort of its own. */
export function surroundingsOf(given: {
  readonly files?: FileReader;
  readonly uuid?: () => string;
  readonly now?: () => string;
}): Surroundings {
  const startedAt = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return {
    effort: { stepsLeft: stepsMax },
    taint: new Taint(),
    hash: (algorithm, data) => createHash(algorithm).update(data).digest("hex"),
    uuid: given.uuid ?? randomUUID,
    now: given.now ?? (() => startedAt),
    randomBytes,
    // Node refuses the padding's removal, since its time tells of the text: it is done after this.
    rsaDecrypt: (cipher, key) => privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, cipher),
    base64: {
      encode: (text) => Buffer.from(text, "utf8").toString("base64"),
      decode: (text) => Buffer.from(text, "base64").toString("utf8"),
      decodeBytes: (text) => Buffer.from(text, "base64"),
    },
    ...(given.files ? { files: given.files } : {}),
  };
}

/**
 * Runs a compilation. Chains of thousands of operators or locals nest as deep as they are long, and loops within loops
 * are as long as they like: the engine's stack and the steps of a compilation are the caps.
 */
export function withinLimits<T>(source: Source, report: Report, compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof EffortSpent) {
      report.error(source, error.span, {
        code: "evaluate/too-much",
        summary: `more than ${stepsMax} steps to compute the values of the file`,
        hint: "loops inside of loops multiply: compute such lists elsewhere",
      });
    } else if (error instanceof RangeError) {
      report.error(
        source,
        { start: 0, end: 0 },
        { code: "evaluate/too-deep", summary: "a value of the file is too long or too deep to be computed" },
      );
    } else throw error;
    return undefined;
  }
}
