import type { VNode } from "preact";
import type { Feed } from "../feed.ts";
import { goTo } from "./keys.ts";

const sections = [
  ["agents", "Agents"],
  ["tasks", "Tasks"],
  ["frameworks", "Frameworks"],
  ["offers", "Offers"],
] as const;

export function Header({ feed }: { feed: Feed }): VNode {
  const { name } = feed.connection.value;
  const clusterId = feed.view.value?.cluster.clusterId ?? "";
  return (
    <header class="top">
      <Jump id="tasks" class="skip">
        Skip to the tasks
      </Jump>
      <h1>
        <img src="/icon.svg" alt="" width="24" height="24" />
        Muster
      </h1>
      {clusterId !== "" && <span class="cluster faint">{clusterId}</span>}
      <nav aria-label="Sections">
        {sections.map(([id, title]) => (
          <Jump key={id} id={id}>
            {title}
          </Jump>
        ))}
      </nav>
      <span class={`pulse pulse-${name}`} role="status">
        {name}
      </span>
    </header>
  );
}

/** A link within the page that leaves the address alone. */
function Jump({ id, children, class: name = "" }: { id: string; children: string; class?: string }): VNode {
  return (
    <a
      href={`#${id}`}
      class={name}
      onClick={(event) => {
        event.preventDefault();
        goTo(id);
      }}
    >
      {children}
    </a>
  );
}
