import type { VNode } from "preact";
import { percent } from "../core/format.ts";

interface BarProps {
  /** What it measures, for those who can't see it. */
  readonly label: string;
  readonly total: number;
  readonly allocated: number;
  readonly offered: number;
  readonly format: (amount: number) => string;
  readonly unit?: string;
}

/** Allocated, offered and free of one resource: a bar and the same in numbers. */
export function Bar({ label, total, allocated, offered, format, unit = "" }: BarProps): VNode {
  const free = Math.max(0, total - allocated - offered);
  const said = `${label}: ${format(allocated)} allocated, ${format(offered)} offered, ${format(free)} free of ${format(total)} ${unit}`;
  return (
    <div class="bar" role="img" aria-label={said} title={said}>
      <div class="bar-track">
        <div class="bar-part bar-allocated" style={{ width: `${percent(allocated, total)}%` }} />
        <div class="bar-part bar-offered" style={{ width: `${percent(offered, total)}%` }} />
      </div>
      <div class="bar-numbers">
        {total === 0 ? (
          <span class="faint">not known</span>
        ) : (
          <span>
            {format(allocated)} <span class="faint">/ {format(total)}</span> {unit}
          </span>
        )}
        {offered > 0 && <span class="bar-offer">+{format(offered)}</span>}
      </div>
    </div>
  );
}

/** What the parts of a bar mean. */
export function Legend(): VNode {
  return (
    <p class="legend">
      <span class="legend-key bar-allocated" /> allocated
      <span class="legend-key bar-offered" /> offered
      <span class="legend-key bar-track" /> free
    </p>
  );
}
