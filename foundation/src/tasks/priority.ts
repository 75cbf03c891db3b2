/**
 * How important work is: 1 to 100, more is more important. Classes are names of ranges for people, each with the number
 * that its name stands for: far enough apart that work of one may take the place of work of the next below.
 */
export interface PriorityClass {
  readonly name: string;
  /** What the name stands for in a job file. */
  readonly priority: number;
  /** The least that is called so. */
  readonly from: number;
}

/** From the least important. */
export const priorityClasses: readonly PriorityClass[] = [
  { name: "best-effort", priority: 10, from: 1 },
  { name: "batch", priority: 30, from: 20 },
  { name: "normal", priority: 50, from: 40 },
  { name: "production", priority: 70, from: 60 },
  { name: "system", priority: 90, from: 80 },
];

/** What nobody has said anything of is compared as this. */
export const priorityDefault = 50;
export const priorityMax = 100;

/** Work gives way only to what is more important by so much: else equals would take turns in ending each other. */
export const preemptionDistance = 10;

/** What people call a priority, for instance "batch" for 30. */
export function priorityClassOf(priority: number): string {
  return priorityClasses.findLast(({ from }) => priority >= from)?.name ?? "best-effort";
}
