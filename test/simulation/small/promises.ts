import type { SimCluster } from "@muster/testing";
import { type Ruling, ruling } from "../greedy-roles.ts";
import { type ImportantTasks, importantTasks } from "../important-tasks.ts";
import { PreemptionWatch } from "../preemption-watch.ts";

/** What is promised, given and taken back; the last is a promise, made when all is calm. */
const promise = { cpuMillis: 1_000, memoryMiB: 256 };
const rulings: readonly Ruling[] = [
  { atMs: 7_000, role: "prod", guarantee: promise },
  { atMs: 20_000, role: "prod", guarantee: {} },
  { atMs: 44_000, role: "prod", guarantee: promise },
];

/** A role to which room is promised now and then, and somebody less important who has filled it meanwhile. */
export class Promises {
  readonly watch: PreemptionWatch;
  readonly #cluster: SimCluster;
  readonly #programs: readonly ImportantTasks[];

  /** Until `untilMs` both want something; before `settledMs` news may be lost. */
  constructor(cluster: SimCluster, untilMs: number, settledMs: number) {
    const isWave = (nowMs: number): boolean => nowMs < untilMs && Math.floor(nowMs / 9_000) % 2 === 1;
    this.#cluster = cluster;
    this.#programs = [
      { name: "filler", role: "fill", priority: 20, wanted: (nowMs) => (nowMs < untilMs ? 4 : 0), preemptedMax: 1 },
      { name: "prod", role: "prod", priority: 70, wanted: (nowMs) => (isWave(nowMs) ? 2 : 0), preemptedMax: 1 },
    ];
    this.watch = new PreemptionWatch(this.#programs, settledMs);
  }

  addPrograms(): void {
    for (const program of this.#programs)
      this.#cluster.addProgram(program.name, "important", (life) =>
        importantTasks(this.#cluster.runtimeOf(life), program),
      );
  }

  /** To be added when what befalls programs is settled: nothing befalls the operator, whose word is to be heard. */
  addOperator(): void {
    this.#cluster.addProgram("ruler", "operator", (life) => {
      for (const each of rulings) ruling(this.#cluster, life, each);
    });
  }
}
