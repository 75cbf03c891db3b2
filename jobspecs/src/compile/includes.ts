import { evaluate } from "../evaluate/evaluate.ts";
import type { FileReader, Scope } from "../evaluate/scope.ts";
import { mapValue, type Value } from "../evaluate/value.ts";
import { parse } from "../syntax/parse.ts";
import { Source } from "../syntax/source.ts";
import type { Block, Body } from "../syntax/tree.ts";
import { isJson, readJsonFile } from "./json-body.ts";

/** Files that include one another. */
export const includeDepthMax = 10;

/** Includes of one compilation; a file that is included often counts as often. */
export const includesMax = 1000;

/** A body of another file, with the scope that it is read in. */
export interface Included {
  readonly body: Body;
  readonly scope: Scope;
}

/**
 * `include "path" { }`: what stands in the file stands here. Paths begin at the folder of the file that includes. What
 * is written between the braces can be read in the file as `include.name`.
 */
export class Includes {
  readonly #root: Source;
  readonly #files: FileReader | undefined;
  readonly #sources = new Map<string, { source: Source; body: Body }>();
  #count = 0;

  constructor(root: Source, files: FileReader | undefined) {
    this.#root = root;
    this.#files = files;
  }

  /** undefined after an error, which is reported. */
  open(block: Block, scope: Scope): Included | undefined {
    const fail = (summary: string, hint?: string): undefined => {
      scope.report.error(scope.source, block.labels[0] ?? block.typeSpan, { code: "evaluate/include", summary, hint });
      return undefined;
    };
    const [label] = block.labels;
    if (!label || block.labels.length !== 1) return fail("include takes one path", 'write include "path" { }');
    const chain = scope.includedFrom ?? [];
    const path = resolve(chain.at(-1), label.text);
    if (chain.includes(path)) return fail(`files include each other in a circle: ${[...chain, path].join(" -> ")}`);
    if (chain.length >= includeDepthMax) return fail(`more than ${includeDepthMax} files include one another`);
    if (++this.#count > includesMax) return fail(`more than ${includesMax} includes`);
    if (!this.#files) return fail("files can be read only where the command runs, not on a server");
    const given = argumentsOf(block, scope);
    const read = this.#read(path, this.#files, scope);
    if (typeof read === "string") return fail(read);
    return {
      body: read.body,
      scope: {
        ...scope,
        source: read.source,
        names: new Map([...scope.names, ["include", given]]),
        includedFrom: [...chain, path],
      },
    };
  }

  #read(path: string, files: FileReader, scope: Scope): { source: Source; body: Body } | string {
    const known = this.#sources.get(path);
    if (known) return known;
    let text: string;
    try {
      text = files.read(path);
    } catch (error) {
      return error instanceof Error ? error.message : `"${path}" can't be read`;
    }
    const folder = /^(.*\/)[^/]*$/.exec(this.#root.file)?.[1] ?? "";
    const source = new Source(path.startsWith("/") ? path : folder + path, text);
    const body = isJson(text) ? readJsonFile(source, scope.report) : parse(source, scope.report);
    const made = { source, body };
    this.#sources.set(path, made);
    return made;
  }
}

function argumentsOf(block: Block, scope: Scope): Value {
  return mapValue(
    block.body.items.flatMap((item) => {
      if (item.kind === "attribute") {
        const { value } = scope.surroundings.taint.during(() => evaluate(item.value, scope));
        return [[item.name, value] as const];
      }
      scope.report.error(scope.source, item.typeSpan, {
        code: "schema/unknown-block",
        summary: `no block "${item.type}" in include: it holds names and values`,
      });
      return [];
    }),
  );
}

/** `path` as seen from the file `from`; "." and ".." settled as far as they can be. */
function resolve(from: string | undefined, path: string): string {
  const parts = path.startsWith("/") || from === undefined ? [] : from.split("/").slice(0, -1);
  for (const part of path.split("/")) {
    if (part === "..") {
      if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
      else parts.push(part);
    } else if (part !== "." && part !== "") parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}
