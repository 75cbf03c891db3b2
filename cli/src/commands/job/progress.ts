import { type JobInstance, type JobStatus, TaskState } from "@muster/proto";
import type { Output } from "../../output/output.ts";
import { enumWord } from "../../output/states.ts";
import { spanText } from "../../output/times.ts";
import { groupsOfSeveral, groupsWithChecks, instanceName, isHealthy } from "./describe.ts";

const barCells = 10;

/** Live progress of a job: one line redrawn on a terminal, a line per change elsewhere. */
export class Progress {
  readonly #out: Output;
  readonly #beganMs = Date.now();
  readonly #told = new Map<string, string>();
  #drawn = false;

  constructor(out: Output) {
    this.#out = out;
  }

  show(job: JobStatus): void {
    if (this.#out.talksToTerminal) this.#redraw(job);
    else this.#tellChanges(job);
  }

  end(): void {
    if (this.#drawn) this.#out.redraw("");
  }

  #redraw(job: JobStatus): void {
    const { summary } = job;
    if (!summary) return;
    const full = summary.desired === 0 ? barCells : Math.floor((summary.healthy / summary.desired) * barCells);
    const bar = "#".repeat(Math.min(barCells, full)).padEnd(barCells, "-");
    const took = spanText(Date.now() - this.#beganMs);
    const obstacle = firstObstacle(job);
    const text = `${summary.name} v${summary.version} [${bar}] ${summary.healthy}/${summary.desired} healthy ${took}${obstacle}`;
    this.#out.redraw(text.slice(0, Math.max(20, this.#out.columns - 1)));
    this.#drawn = true;
  }

  #tellChanges(job: JobStatus): void {
    const checks = groupsWithChecks(job.definition);
    const several = groupsOfSeveral(job);
    for (const instance of job.instances) {
      const now = describe(instance, checks.has(instance.group));
      const name = instanceName(instance, several);
      if (this.#told.get(name) === now) continue;
      this.#told.set(name, now);
      this.#out.say(`  ${name} ${now}`);
    }
  }
}

function describe(instance: JobInstance, hasChecks: boolean): string {
  if (isHealthy(instance, hasChecks)) return `healthy on ${instance.agentName}`;
  const word = enumWord(TaskState, instance.state, "TASK_").replace("state unspecified", "pending");
  const place = instance.agentName === "" ? "" : ` on ${instance.agentName}`;
  return `${word}${place}${instance.reason === "" ? "" : `: ${instance.reason}`}`;
}

function firstObstacle(job: JobStatus): string {
  if (job.message !== "") return `  ${job.message}`;
  const [rejection] = job.rejections;
  if (rejection) return `  ${rejection.agentName}: ${rejection.reason}`;
  const failing = job.instances.find((instance) => instance.state !== TaskState.TASK_RUNNING && instance.reason !== "");
  return failing ? `  ${instanceName(failing, groupsOfSeveral(job))}: ${failing.reason}` : "";
}
