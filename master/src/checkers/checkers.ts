import { noPortTwice } from "./ports.ts";
import { importantStay } from "./preemption.ts";
import { reservationsConserved, volumesKept } from "./reservations.ts";
import { noOverCommit, resourcesConserved } from "./resources.ts";
import { standingsKept } from "./standings.ts";
import type { Checker } from "./view.ts";

export type { Checker } from "./view.ts";

/** What must hold on every agent at every moment: the simulation asks it of its masters, operators of theirs. */
export const checkers: readonly Checker[] = [
  noOverCommit,
  resourcesConserved,
  reservationsConserved,
  volumesKept,
  noPortTwice,
  standingsKept,
  importantStay,
];
