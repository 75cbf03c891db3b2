import type { VNode } from "preact";
import { formatCpu, formatMiB, groupDigits } from "../core/format.ts";
import { overviewOf } from "../core/overview.ts";
import type { View } from "../feed.ts";
import { choose } from "../place.ts";
import { Bar } from "./bar.tsx";
import { Glyph } from "./glyph.tsx";
import { goTo } from "./keys.ts";

function list(filter: string): void {
  choose({ filter, show: "all" });
  goTo("tasks");
}

/** What is wrong, and the cluster in four numbers. */
export function OverviewPart({ view }: { view: View }): VNode {
  const overview = overviewOf(view.cluster);
  return (
    <section class="overview" aria-label="Overview">
      {overview.troubles.length > 0 && (
        <ul class="troubles">
          {overview.troubles.map(({ text, tone, filter }) => (
            <li key={text} class={`tone-${tone}`}>
              {filter === undefined ? (
                text
              ) : (
                <button type="button" class="plain" onClick={() => list(filter)}>
                  {text}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      <div class="tiles">
        <div class="tile">
          <h2>Agents</h2>
          <p class="figure">{groupDigits(overview.agentCount)}</p>
          <p class="states">
            {overview.agentStates.map(({ state, count }) => (
              <Glyph key={state.word} word={{ ...state, word: `${groupDigits(count)} ${state.word}` }} />
            ))}
          </p>
        </div>
        <div class="tile">
          <h2>Tasks</h2>
          <p class="figure">{groupDigits(overview.taskCount)}</p>
          <p class="states">
            {overview.states.map(({ state, count }) => (
              <button key={state.word} type="button" class="plain" onClick={() => list(`state=${state.word}`)}>
                <Glyph word={{ ...state, word: `${groupDigits(count)} ${state.word}` }} />
              </button>
            ))}
          </p>
        </div>
        <div class="tile">
          <h2>Processors</h2>
          <Bar label="processors" {...overview.cpuMillis} format={formatCpu} unit="cores" />
        </div>
        <div class="tile">
          <h2>Memory</h2>
          <Bar label="memory" {...overview.memoryMiB} format={formatMiB} />
        </div>
      </div>
    </section>
  );
}
