import type { Cursor } from "./cursor.ts";
import { token } from "./tokens.ts";
import type { Expression } from "./tree.ts";

/** `for` is next: its names and its collection, as in expressions and in templates. */
export function parseLoopHead(
  cursor: Cursor,
  read: (cursor: Cursor) => Expression,
): { readonly names: { readonly keyName?: string; readonly valueName: string }; readonly collection: Expression } {
  cursor.take();
  const first = cursor.takeName("the name of the loop's variable");
  const second = cursor.takeIf(token.comma) ? cursor.takeName("the name of the second variable") : undefined;
  if (!cursor.isWord("in"))
    cursor.fail(cursor.span, { code: "syntax/expected-in", summary: 'expected "in" and the collection' });
  cursor.take();
  const names = second === undefined ? { valueName: first } : { keyName: first, valueName: second };
  return { names, collection: read(cursor) };
}
