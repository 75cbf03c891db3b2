import { signal } from "@preact/signals";

const narrowQuery = matchMedia("(max-width: 760px)");

/** Whether rows are laid out as cards. */
export const narrow = signal(narrowQuery.matches);
narrowQuery.addEventListener("change", () => {
  narrow.value = narrowQuery.matches;
});

/** Milliseconds since the epoch, as exact as ages are shown; stands still while nobody looks. */
export const now = signal(Date.now());
const tickMs = 1_000;
setInterval(() => {
  if (document.visibilityState === "visible") now.value = Date.now();
}, tickMs);
