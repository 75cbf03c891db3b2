import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface RowsProps<T> {
  readonly rows: readonly T[];
  /** Height of every row in CSS pixels. */
  readonly rowHeight: number;
  readonly columnCount: number;
  readonly render: (row: T, index: number) => ComponentChildren;
}

/** Rows beyond the edges of the window that are there too, so that scrolling shows no gaps. */
const spareRows = 8;

/** A table's body that holds only the rows near the window, and two empty ones as high as the rest. */
export function Rows<T>({ rows, rowHeight, columnCount, render }: RowsProps<T>): VNode {
  const body = useRef<HTMLTableSectionElement>(null);
  const [range, setRange] = useState({ from: 0, to: 40 });
  useLayoutEffect(() => {
    const measure = (): void => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const from = Math.max(0, Math.floor(-top / rowHeight) - spareRows);
      const to = Math.max(from, Math.ceil((innerHeight - top) / rowHeight) + spareRows);
      setRange((old) => (old.from === from && old.to === to ? old : { from, to }));
    };
    let frame = 0;
    const later = (): void => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(measure);
    };
    measure();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
    };
  });
  const from = Math.min(range.from, rows.length);
  const to = Math.min(range.to, rows.length);
  return (
    <tbody ref={body}>
      <Space height={from * rowHeight} columnCount={columnCount} />
      {rows.slice(from, to).map((row, index) => render(row, from + index))}
      <Space height={(rows.length - to) * rowHeight} columnCount={columnCount} />
    </tbody>
  );
}

function Space({ height, columnCount }: { height: number; columnCount: number }): VNode | null {
  if (height === 0) return null;
  return (
    <tr class="space">
      <td colSpan={columnCount} style={{ height: `${height}px` }} />
    </tr>
  );
}
