import type { VNode } from "preact";
import { formatCores, formatCount, formatMiB, groupDigits } from "../core/format.ts";
import { type Show, selectTasks, type TaskRow } from "../core/task-rows.ts";
import type { View } from "../feed.ts";
import { choose, filter, show } from "../place.ts";
import { Empty } from "./empty.tsx";
import { Glyph } from "./glyph.tsx";
import { filterFieldId } from "./keys.ts";
import { Rows } from "./rows.tsx";
import { Ago } from "./span.tsx";
import { narrow } from "./surroundings.ts";

const rowHeight = { wide: 48, narrow: 132 } as const;
const shows: readonly Show[] = ["all", "live", "ended"];

export function Tasks({ view }: { view: View }): VNode {
  const all = view.cluster.tasks;
  const rows = selectTasks(all.values(), filter.value, show.value);
  return (
    <section id="tasks" tabIndex={-1} aria-labelledby="tasks-title">
      <div class="section-head">
        <h2 id="tasks-title">Tasks</h2>
        <span class="faint" role="status">
          {rows.length === all.size
            ? formatCount(all.size, "task")
            : `${groupDigits(rows.length)} of ${formatCount(all.size, "task")}`}
        </span>
        <Finder />
      </div>
      {rows.length > 0 ? (
        <TaskTable rows={rows} />
      ) : all.size === 0 ? (
        <Empty>
          Nothing runs yet. Write a first job with <code>muster job init web</code> and run it with{" "}
          <code>muster job run web.hcl</code>
        </Empty>
      ) : (
        <p class="empty">
          No task fits.{" "}
          <button type="button" class="plain" onClick={() => choose({ filter: "", show: "all" })}>
            Show all
          </button>
        </p>
      )}
    </section>
  );
}

function Finder(): VNode {
  return (
    <search class="finder">
      <label class="hidden" for={filterFieldId}>
        Filter tasks
      </label>
      <input
        id={filterFieldId}
        type="search"
        placeholder="Filter: web state:failed agent:a1"
        title="Words must all be found. In one field: name: id: state: health: agent: framework: role: port: (= instead of : for all of it)"
        autocomplete="off"
        spellcheck={false}
        value={filter.value}
        onInput={(event) => choose({ filter: event.currentTarget.value })}
      />
      <fieldset class="choice">
        <legend class="hidden">Which tasks</legend>
        {shows.map((each) => (
          <label key={each} class={show.value === each ? "chosen" : ""}>
            <input
              type="radio"
              name="show"
              class="hidden"
              checked={show.value === each}
              onChange={() => choose({ show: each })}
            />
            {each}
          </label>
        ))}
      </fieldset>
    </search>
  );
}

function TaskTable({ rows }: { rows: readonly TaskRow[] }): VNode {
  const height = narrow.value ? rowHeight.narrow : rowHeight.wide;
  return (
    <table class="tasks" aria-rowcount={rows.length} style={{ "--row": `${height}px` }}>
      <thead>
        <tr>
          <th scope="col">Task</th>
          <th scope="col">State</th>
          <th scope="col">Health</th>
          <th scope="col">Ports</th>
          <th scope="col">Agent</th>
          <th scope="col">Framework</th>
          <th scope="col">Resources</th>
          <th scope="col" class="number">
            Since
          </th>
        </tr>
      </thead>
      <Rows
        rows={rows}
        rowHeight={height}
        columnCount={8}
        render={(row, index) => <TaskLine key={row.key} row={row} index={index} />}
      />
    </table>
  );
}

/** Lines of ports that fit into a row; the last one says how many more there are. */
const portLines = { wide: 2, narrow: 1 } as const;

function TaskLine({ row, index }: { row: TaskRow; index: number }): VNode {
  const { record, ports } = row;
  const lines = narrow.value ? portLines.narrow : portLines.wide;
  const shown = ports.length > lines ? Math.max(1, lines - 1) : ports.length;
  const more = ports.length - shown;
  return (
    <tr aria-rowindex={index + 1} class={row.terminal ? "ended" : ""}>
      <td class="cell-name">
        <button
          type="button"
          class="plain task-name clip"
          title={record.taskId}
          onClick={() => choose({ task: row.key })}
        >
          {record.name === "" ? record.taskId : record.name}
        </button>
        <span class="faint clip id">{record.taskId}</span>
      </td>
      <td class="cell-state">
        <Glyph word={row.state} />
        {row.why !== "" && (
          <span class="faint clip" title={row.why}>
            {row.why}
          </span>
        )}
      </td>
      <td class="cell-health">{!row.terminal && <Glyph word={row.health} />}</td>
      <td class="cell-ports" title={ports.map(({ label, number }) => `${label} ${number}`).join(", ")}>
        {ports.slice(0, shown).map(({ label, number }) => (
          <span key={label} class="port">
            <span class="faint">{label}</span> {number}
          </span>
        ))}
        {more > 0 && <span class="faint">{more} more</span>}
      </td>
      <td class="cell-agent">
        <span class="clip" title={record.agentId}>
          {record.agentName === "" ? record.agentId : record.agentName}
        </span>
      </td>
      <td class="cell-framework">
        <span class="clip" title={record.frameworkId}>
          {record.frameworkName === "" ? record.frameworkId : record.frameworkName}
        </span>
      </td>
      <td class="cell-resources">
        {record.resources && (
          <>
            <span>{formatCores(record.resources.cpuMillis)}</span>
            <span class="faint">{formatMiB(record.resources.memoryMiB)}</span>
          </>
        )}
      </td>
      <td class="number cell-since">
        <Ago at={row.at} />
      </td>
    </tr>
  );
}
