import type { AgentRecord, Resources } from "@muster/proto";
import type { VNode } from "preact";
import { formatCount, formatCpu, formatMiB, groupDigits } from "../core/format.ts";
import { filterFor } from "../core/task-rows.ts";
import { agentWord } from "../core/words.ts";
import type { View } from "../feed.ts";
import { choose } from "../place.ts";
import { Bar, Legend } from "./bar.tsx";
import { Empty } from "./empty.tsx";
import { Glyph } from "./glyph.tsx";
import { goTo } from "./keys.ts";
import { Rows } from "./rows.tsx";
import { narrow } from "./surroundings.ts";

const rowHeight = { wide: 60, narrow: 232 } as const;

export function Agents({ view }: { view: View }): VNode {
  const agents = [...view.cluster.agents.values()].sort((a, b) => byTrouble(a) - byTrouble(b) || inOrder(a, b));
  const height = narrow.value ? rowHeight.narrow : rowHeight.wide;
  return (
    <section id="agents" tabIndex={-1} aria-labelledby="agents-title">
      <div class="section-head">
        <h2 id="agents-title">Agents</h2>
        {agents.length > 0 && <Legend />}
      </div>
      {agents.length === 0 ? (
        <Empty>
          No agent has registered. Agents run the tasks; start one with <code>muster daemon agent</code>
        </Empty>
      ) : (
        <table class="agents" aria-rowcount={agents.length} style={{ "--row": `${height}px` }}>
          <thead>
            <tr>
              <th scope="col">Agent</th>
              <th scope="col">State</th>
              <th scope="col">Processors</th>
              <th scope="col">Memory</th>
              <th scope="col">Disk</th>
              <th scope="col">Ports</th>
              <th scope="col" class="number">
                Tasks
              </th>
            </tr>
          </thead>
          <Rows
            rows={agents}
            rowHeight={height}
            columnCount={7}
            render={(agent, index) => <AgentRow key={agent.agentId} agent={agent} index={index} />}
          />
        </table>
      )}
    </section>
  );
}

const byTrouble = (agent: AgentRecord): number => (agentWord(agent.state).tone === "good" ? 1 : 0);
const collator = new Intl.Collator(undefined, { numeric: true });
const inOrder = (a: AgentRecord, b: AgentRecord): number =>
  collator.compare(a.name, b.name) || collator.compare(a.agentId, b.agentId);

function AgentRow({ agent, index }: { agent: AgentRecord; index: number }): VNode {
  const amounts = (read: (resources: Resources) => number) => ({
    total: agent.total ? read(agent.total) : 0,
    allocated: agent.allocated ? read(agent.allocated) : 0,
    offered: agent.offered ? read(agent.offered) : 0,
  });
  return (
    <tr aria-rowindex={index + 1}>
      <td class="cell-name">
        <strong class="clip" title={agent.agentId}>
          {agent.name === "" ? agent.agentId : agent.name}
        </strong>
        <span class="faint clip">{agent.address}</span>
      </td>
      <td class="cell-state">
        <Glyph word={agentWord(agent.state)} />
      </td>
      <td data-label="Processors">
        <Bar label="processors" {...amounts((each) => each.cpuMillis)} format={formatCpu} />
      </td>
      <td data-label="Memory">
        <Bar label="memory" {...amounts((each) => each.memoryMiB)} format={formatMiB} />
      </td>
      <td data-label="Disk">
        <Bar label="disk" {...amounts((each) => each.diskMiB)} format={formatMiB} />
      </td>
      <td data-label="Ports">
        <Bar label="dynamic ports" {...amounts((each) => each.portCount)} format={groupDigits} />
      </td>
      <td class="number cell-tasks">
        <button
          type="button"
          class="plain"
          title={`List the tasks of ${agent.name}`}
          onClick={() => {
            choose({ filter: filterFor("agent", agent.name, agent.agentId), show: "all" });
            goTo("tasks");
          }}
        >
          {narrow.value ? formatCount(agent.taskCount, "task") : groupDigits(agent.taskCount)}
        </button>
      </td>
    </tr>
  );
}
