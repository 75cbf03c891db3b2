import { choose, openTask } from "../place.ts";

/** Id of the field that filters tasks. */
export const filterFieldId = "filter";

const places: Readonly<Record<string, string>> = { a: "agents", t: "tasks", f: "frameworks", o: "offers" };

/** `/` to the filter, `g` and a letter to a section, `j` and `k` along the tasks, Escape closes. */
export function followKeys(): void {
  let going = false;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    if (event.key === "Escape" && openTask.value !== "") {
      choose({ task: "" });
      return;
    }
    if (target.matches("input, select, textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const place = going ? places[event.key] : undefined;
    going = event.key === "g";
    if (place !== undefined) goTo(place);
    else if (event.key === "/") document.getElementById(filterFieldId)?.focus();
    else if (event.key === "j" || event.key === "k") walkTasks(event.key === "j" ? 1 : -1);
    else return;
    event.preventDefault();
  });
}

/** Moves to a section without touching the address, which keeps the filter. */
export function goTo(id: string): void {
  const section = document.getElementById(id);
  section?.scrollIntoView({ block: "start" });
  section?.focus({ preventScroll: true });
}

function walkTasks(step: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLElement>("#tasks tbody button.task-name")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = links[at === -1 ? 0 : at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
