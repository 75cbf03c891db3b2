import { StringDecoder } from "node:string_decoder";

/** Characters of a line that is held back until it ends. A longer one is printed in parts. */
const lineLengthMax = 64 * 1024;

/** Puts a prefix before every line of a stream that comes in pieces. Without one the pieces pass as they are. */
export class LinePrefixer {
  readonly #prefix: string;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  /** What stands before the line whose beginning is held back. */
  #restTime = "";

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** What can be printed now. `time` comes after the prefix of lines that begin in this piece. */
  add(bytes: Uint8Array, time = ""): string {
    const text = this.#decoder.write(Buffer.from(bytes));
    if (this.#prefix === "" && time === "" && this.#rest === "") return text;
    if (this.#rest === "") this.#restTime = time;
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    let whole = "";
    for (const line of lines) {
      whole += `${this.#prefix}${this.#restTime}${line}\n`;
      this.#restTime = time;
    }
    if (this.#rest.length <= lineLengthMax) return whole;
    return `${whole}${this.#cut()}\n`;
  }

  /** The last line, if it had no end. */
  end(): string {
    this.#rest += this.#decoder.end();
    if (this.#rest === "") return "";
    const isBare = this.#prefix === "" && this.#restTime === "";
    return isBare ? this.#cut() : `${this.#cut()}\n`;
  }

  #cut(): string {
    const line = `${this.#prefix}${this.#restTime}${this.#rest}`;
    this.#rest = "";
    return line;
  }
}
