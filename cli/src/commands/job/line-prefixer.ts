import { StringDecoder } from "node:string_decoder";

/** Characters of a line that is held back until it ends. A longer one is printed in parts. */
const lineLengthMax = 64 * 1024;

/** Puts a prefix before every line of a stream that comes in pieces. Without one the pieces pass as they are. */
export class LinePrefixer {
  readonly #prefix: string;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** What can be printed now. */
  add(bytes: Uint8Array): string {
    const text = this.#decoder.write(Buffer.from(bytes));
    if (this.#prefix === "") return text;
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const whole = lines.map((line) => `${this.#prefix}${line}\n`).join("");
    if (this.#rest.length <= lineLengthMax) return whole;
    const cut = `${this.#prefix}${this.#rest}\n`;
    this.#rest = "";
    return whole + cut;
  }

  /** The last line, if it had no end. */
  end(): string {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    return rest === "" ? "" : this.#prefix === "" ? rest : `${this.#prefix}${rest}\n`;
  }
}
