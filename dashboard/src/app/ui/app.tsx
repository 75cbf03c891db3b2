import type { VNode } from "preact";
import type { Feed } from "../feed.ts";
import { openTask } from "../place.ts";
import { Agents } from "./agents.tsx";
import { Banner } from "./banner.tsx";
import { Frameworks } from "./frameworks.tsx";
import { Header } from "./header.tsx";
import { Offers } from "./offers.tsx";
import { OverviewPart } from "./overview-part.tsx";
import { TaskDetails } from "./task-details.tsx";
import { Tasks } from "./tasks.tsx";

export function App({ feed }: { feed: Feed }): VNode {
  const view = feed.view.value;
  const lost = feed.connection.value.name === "lost";
  return (
    <>
      <Header feed={feed} />
      <Banner feed={feed} />
      {view === undefined ? (
        <Loading />
      ) : (
        <main class={lost ? "stale" : ""}>
          <OverviewPart view={view} />
          <Agents view={view} />
          <Tasks view={view} />
          <div class="pair">
            <Frameworks view={view} />
            <Offers view={view} />
          </div>
        </main>
      )}
      {view !== undefined && openTask.value !== "" && <TaskDetails view={view} />}
      <footer>
        <kbd>/</kbd> filter <kbd>j</kbd> <kbd>k</kbd> tasks <kbd>g</kbd> then <kbd>a</kbd> <kbd>t</kbd> <kbd>f</kbd>{" "}
        <kbd>o</kbd> go to agents, tasks, frameworks, offers <kbd>Esc</kbd> close
      </footer>
    </>
  );
}

function Loading(): VNode {
  return (
    <main class="loading" aria-busy="true">
      <p class="faint">Waiting for the first picture of the cluster</p>
      <div class="skeleton" />
      <div class="skeleton" />
      <div class="skeleton" />
    </main>
  );
}
