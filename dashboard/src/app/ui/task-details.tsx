import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { formatCores, formatMiB } from "../core/format.ts";
import { type TaskRow, taskRow } from "../core/task-rows.ts";
import type { View } from "../feed.ts";
import { choose, openTask } from "../place.ts";
import { Glyph } from "./glyph.tsx";

/** Everything that is known of one task, and the commands that act on it. */
export function TaskDetails({ view }: { view: View }): VNode {
  const record = view.cluster.tasks.get(openTask.value);
  const panel = useRef<HTMLElement>(null);
  const cameFrom = useRef(document.activeElement);
  useEffect(() => {
    panel.current?.focus();
    const back = cameFrom.current;
    return () => {
      if (back instanceof HTMLElement) back.focus({ preventScroll: true });
    };
  }, []);
  return (
    <aside class="details" tabIndex={-1} ref={panel} aria-labelledby="details-title">
      <div class="section-head">
        <h2 id="details-title">{record === undefined ? "Task" : record.name === "" ? record.taskId : record.name}</h2>
        <button type="button" class="close" onClick={() => choose({ task: "" })}>
          Close
        </button>
      </div>
      {record === undefined ? (
        <p class="empty">The master has forgotten this task.</p>
      ) : (
        <Facts row={taskRow(record)} />
      )}
    </aside>
  );
}

function Facts({ row }: { row: TaskRow }): VNode {
  const { record } = row;
  const { status, resources } = record;
  return (
    <>
      <p class="details-state">
        <Glyph word={row.state} />
        {!row.terminal && <Glyph word={row.health} />}
      </p>
      {row.why !== "" && <p class="details-why">{row.why}</p>}
      <dl class="facts">
        <Fact name="Id">{record.taskId}</Fact>
        <Fact name="Agent">{`${record.agentName} ${record.agentIp}`}</Fact>
        <Fact name="Framework">{record.frameworkName}</Fact>
        <Fact name="Role">{record.role}</Fact>
        {resources && (
          <Fact name="Uses">
            {`${formatCores(resources.cpuMillis)}, ${formatMiB(resources.memoryMiB)}, ${formatMiB(resources.diskMiB)} disk`}
          </Fact>
        )}
        {row.at !== 0 && <Fact name="Since">{new Date(row.at).toLocaleString()}</Fact>}
        {row.ports.map(({ label, number, ip }) => (
          <Fact key={label} name={`Port ${label}`}>
            {`${ip === "" ? record.agentIp : ip}:${number}`}
          </Fact>
        ))}
        {status?.container && status.container.pid !== 0 && <Fact name="Process">{status.container.pid}</Fact>}
        {status?.container?.ips.map((ip) => (
          <Fact key={ip} name="Address">
            {ip}
          </Fact>
        ))}
        {record.discovery?.endpoints.map(({ name, tags }) => (
          <Fact key={name} name="Found as">
            {[name, ...tags].join(" ")}
          </Fact>
        ))}
        {Object.entries(record.labels).map(([name, value]) => (
          <Fact key={name} name={name}>
            {value}
          </Fact>
        ))}
        <Fact name="Launch">{record.launchId}</Fact>
      </dl>
      <h3>In a terminal</h3>
      <pre>{`muster task logs -f ${shellWord(record.taskId)}\nmuster task status ${shellWord(record.taskId)}`}</pre>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A word that a shell takes as it stands: these lines are copied. */
const shellWord = (text: string): string => (/^[\w.:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
