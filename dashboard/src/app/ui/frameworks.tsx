import type { FrameworkRecord } from "@muster/proto";
import type { VNode } from "preact";
import { formatCores, formatCount, formatMiB, groupDigits } from "../core/format.ts";
import { filterFor } from "../core/task-rows.ts";
import type { Word } from "../core/words.ts";
import type { View } from "../feed.ts";
import { choose } from "../place.ts";
import { Empty } from "./empty.tsx";
import { Glyph } from "./glyph.tsx";
import { goTo } from "./keys.ts";
import { Ago } from "./span.tsx";

const connected: Word = { word: "connected", tone: "good", sign: "dot" };
const away: Word = { word: "away", tone: "bad", sign: "cross" };

export function Frameworks({ view }: { view: View }): VNode {
  const frameworks = [...view.cluster.frameworks.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return (
    <section id="frameworks" tabIndex={-1} aria-labelledby="frameworks-title">
      <div class="section-head">
        <h2 id="frameworks-title">Frameworks</h2>
      </div>
      {frameworks.length === 0 ? (
        <Empty>
          No framework has subscribed. Frameworks decide what runs where; the two of Muster start with{" "}
          <code>muster dev</code>
        </Empty>
      ) : (
        <ul class="cards">
          {frameworks.map((framework) => (
            <FrameworkCard key={framework.frameworkId} framework={framework} />
          ))}
        </ul>
      )}
    </section>
  );
}

function FrameworkCard({ framework }: { framework: FrameworkRecord }): VNode {
  const { allocated } = framework;
  return (
    <li class="card">
      <div class="card-head">
        <strong class="clip" title={framework.frameworkId}>
          {framework.name}
        </strong>
        <Glyph word={framework.connected ? connected : away} />
        {!framework.connected && (
          <span class="faint">
            for <Ago at={framework.disconnectedAt} />
          </span>
        )}
      </div>
      <dl class="facts">
        <Fact name="Tasks">
          <button
            type="button"
            class="plain"
            onClick={() => {
              choose({ filter: filterFor("framework", framework.name, framework.frameworkId), show: "all" });
              goTo("tasks");
            }}
          >
            {groupDigits(framework.taskCount)}
          </button>
        </Fact>
        <Fact name="Uses">
          {allocated ? `${formatCores(allocated.cpuMillis)}, ${formatMiB(allocated.memoryMiB)}` : "nothing"}
        </Fact>
        <Fact name="Roles">
          {framework.roles
            .map((role) => (framework.suppressedRoles.includes(role) ? `${role} (wants no offers)` : role))
            .join(", ")}
        </Fact>
        <Fact name="Offers">
          {formatCount(framework.offersSent, "sent", "sent")}, {groupDigits(framework.offersDeclined)} declined
        </Fact>
        {framework.jobTypes.length > 0 && <Fact name="Jobs">{framework.jobTypes.join(", ")}</Fact>}
      </dl>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: VNode | string | (string | VNode)[] }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
