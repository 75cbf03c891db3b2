import { signal } from "@preact/signals";
import type { Show } from "./core/task-rows.ts";

/** What of the page is kept in its address, so that it can be sent to somebody. */
export const filter = signal("");
export const show = signal<Show>("all");
/** Key of the task whose details are open; empty if none. */
export const openTask = signal("");

/** Follows the address, and writes it when something is chosen. */
export function followAddress(): void {
  readAddress();
  addEventListener("hashchange", readAddress);
}

function readAddress(): void {
  const hash = location.hash.slice(1);
  // "#tasks" and the like are places on the page, not a state of it.
  if (hash !== "" && !hash.includes("=")) return;
  const values = new URLSearchParams(hash);
  filter.value = values.get("filter") ?? "";
  const wanted = values.get("show");
  show.value = wanted === "live" || wanted === "ended" ? wanted : "all";
  openTask.value = values.get("task") ?? "";
}

export function choose(wanted: { filter?: string; show?: Show; task?: string }): void {
  if (wanted.filter !== undefined) filter.value = wanted.filter;
  if (wanted.show !== undefined) show.value = wanted.show;
  if (wanted.task !== undefined) openTask.value = wanted.task;
  const values = new URLSearchParams();
  if (filter.value !== "") values.set("filter", filter.value);
  if (show.value !== "all") values.set("show", show.value);
  if (openTask.value !== "") values.set("task", openTask.value);
  const hash = values.size === 0 ? "" : `#${values}`;
  history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
}
