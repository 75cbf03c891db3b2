/** Bytes of one line of news. */
const lineBytesMax = 256 * 1024;

interface Line {
  readonly id?: unknown;
  readonly status?: unknown;
  readonly error?: unknown;
  readonly progressDetail?: { readonly total?: unknown };
}

/** Reads what an Engine says while it pulls: a JSON object a line. */
export class PullProgress {
  #rest = "";
  /** Bytes of layers that are being fetched. */
  readonly #sizes = new Map<string, number>();
  /** Why it can't be had; undefined: nothing speaks against it. */
  error: string | undefined;

  /** True if the layers that are fetched, or their sizes, have changed. Throws on what no Engine says. */
  take(text: string): boolean {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > lineBytesMax) throw new Error("the Engine's news of the pull have a line without end");
    let hasChanged = false;
    for (const line of lines) if (line.trim() !== "" && this.#read(JSON.parse(line) as Line)) hasChanged = true;
    return hasChanged;
  }

  /** The end of the answer: a last line may have no end of its own. */
  end(): void {
    if (this.#rest.trim() !== "") this.take("\n");
  }

  get layerCount(): number {
    return this.#sizes.size;
  }

  get bytes(): number {
    let sum = 0;
    for (const size of this.#sizes.values()) sum += size;
    return sum;
  }

  #read({ id, error, progressDetail, status }: Line): boolean {
    if (typeof error === "string") this.error = error;
    const total = progressDetail?.total;
    // Only while it is fetched does the total mean its size in the registry.
    if (status !== "Downloading" || typeof id !== "string" || typeof total !== "number") return false;
    if (this.#sizes.get(id) === total) return false;
    this.#sizes.set(id, total);
    return true;
  }
}
