import type { VNode } from "preact";
import { formatSpan } from "../core/format.ts";
import { now } from "./surroundings.ts";

/** How long ago something was, kept current; nothing if that is not known. */
export function Ago({ at }: { at: number }): VNode | null {
  if (at === 0) return null;
  return (
    <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()}>
      {formatSpan(Math.max(0, now.value - at))}
    </time>
  );
}
