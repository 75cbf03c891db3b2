import type { VNode } from "preact";
import type { Sign, Word } from "../core/words.ts";

const shapes: Readonly<Record<Sign, VNode>> = {
  dot: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  ring: <circle cx="6" cy="6" r="3.5" fill="none" stroke="currentColor" stroke-width="1.5" />,
  half: (
    <g>
      <circle cx="6" cy="6" r="3.5" fill="none" stroke="currentColor" stroke-width="1.5" />
      <path d="M6 2.5a3.5 3.5 0 0 1 0 7z" fill="currentColor" />
    </g>
  ),
  check: <path d="M2 6.5 5 9.5 10 3" fill="none" stroke="currentColor" stroke-width="1.8" />,
  cross: <path d="M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5" fill="none" stroke="currentColor" stroke-width="1.8" />,
  square: <rect x="2.5" y="2.5" width="7" height="7" rx="1" fill="currentColor" />,
  question: (
    <path
      d="M3.5 4.2a2.5 2.5 0 1 1 3.6 2.2C6.3 6.8 6 7.2 6 8M6 9.6V11"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
    />
  ),
  slash: (
    <g fill="none" stroke="currentColor" stroke-width="1.5">
      <circle cx="6" cy="6" r="4" />
      <path d="M3.2 8.8 8.8 3.2" />
    </g>
  ),
  triangle: <path d="M6 1.5 11 10.5H1z" fill="currentColor" />,
};

/** A sign and its word: what colour says is said without it too. */
export function Glyph({ word: { word, tone, sign } }: { word: Word }): VNode {
  return (
    <span class={`glyph tone-${tone}`}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        {shapes[sign]}
      </svg>
      {word}
    </span>
  );
}
