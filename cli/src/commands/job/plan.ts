import type { Job } from "@muster/jobspecs";
import { PlanAction, type PlanGroup, type PlanResponse } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import type { Output } from "../../output/output.ts";
import { enumWord } from "../../output/states.ts";
import { budgetLines, budgetsJson } from "./budgets.ts";
import { compileOrFail, readSource } from "./compile.ts";
import { obstacleJson } from "./describe.ts";
import { foresee, type Preemption, preemptionLines } from "./preemptions.ts";
import { obstacleSums, rejectionLines } from "./show.ts";
import { submissionOf } from "./submission.ts";

const planCodes = { same: 0, changes: 1, error: 255 } as const;

export const run: CommandModule["run"] = async (invocation) => {
  const { out, args } = invocation;
  const file = args[0] ?? "";
  try {
    const source = readSource(file);
    const compiled = compileOrFail(source, invocation);
    const { job } = compiled;
    return await withClient(invocation, async (client) => {
      const request = message("PlanRequest", { job: submissionOf(compiled, invocation) });
      const plan = await client.call("Jobs.Plan", request);
      for (const warning of plan.warnings) out.warn(warning);
      const preemptions = await foresee(client, job, plan);
      out.data({ ...planJson(job.id, plan), preemptions, budgets: budgetsJson(job) });
      showPlan(job, file, plan, preemptions, out);
      return plan.action === PlanAction.PLAN_ACTION_NONE ? planCodes.same : planCodes.changes;
    });
  } catch (error) {
    out.error(toCliError(error));
    return planCodes.error;
  }
};

function planJson(name: string, plan: PlanResponse) {
  return {
    name,
    action: enumWord(PlanAction, plan.action, "PLAN_ACTION_"),
    version: plan.version,
    starts: plan.startCount,
    stops: plan.stopCount,
    changes: plan.changes.map(({ path, before, after }) => ({ path, before, after })),
    placements: plan.placements.map(({ instance, agentName, agentId }) => ({
      instance,
      agent: agentName || agentId || null,
    })),
    groups: plan.groups.map((one) => ({
      group: one.group,
      create: one.createCount,
      destroy: one.destroyCount,
      replace: one.replaceCount,
      update: one.updateCount,
      keep: one.keepCount,
      forecast: one.forecast,
    })),
    obstacles: plan.obstacles.map(obstacleJson),
    rejections: plan.rejections.map(({ group, agentName, agentId, reason }) => ({
      group,
      agent: agentName || agentId,
      reason,
    })),
  };
}

/** "~ group web: 2 new, 3 replaced", and how that would go. */
function groupLines(one: PlanGroup): string[] {
  const counts: [number, string][] = [
    [one.createCount, "new"],
    [one.replaceCount, "replaced"],
    [one.updateCount, "changed in place"],
    [one.destroyCount, "ended"],
    [one.keepCount, "kept"],
  ];
  const words = counts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  const line = `  group ${one.group}: ${words.join(", ") || "nothing"}`;
  return one.forecast === "" ? [line] : [line, `    ${one.forecast}`];
}

function showPlan(job: Job, file: string, plan: PlanResponse, preemptions: readonly Preemption[], out: Output): void {
  const { style } = out;
  const sign = { create: "+", update: "~", replace: "~", none: "=" }[enumWord(PlanAction, plan.action, "PLAN_ACTION_")];
  const versions =
    plan.version === 0
      ? "new"
      : plan.action === PlanAction.PLAN_ACTION_NONE
        ? `v${plan.version}, nothing changes`
        : `v${plan.version} -> v${plan.version + 1}`;
  out.line(
    `${sign ?? "?"} job ${style.paint("bold", job.id)}  ${versions}  +${plan.startCount} -${plan.stopCount} instances`,
  );
  for (const line of plan.groups.flatMap(groupLines)) out.line(line);
  for (const line of budgetLines(job)) out.line(line);
  for (const { path, before, after } of plan.changes) {
    if (before === "") out.line(style.paint("green", `  + ${path} = ${after}`));
    else if (after === "") out.line(style.paint("red", `  - ${path} (was ${before})`));
    else out.line(`  ~ ${path}: ${style.paint("red", before)} -> ${style.paint("green", after)}`);
  }
  const placed = plan.placements.filter((placement) => placement.agentId !== "");
  if (plan.placements.length > 0) out.line(`fits now: ${placed.length} of ${plan.placements.length}`);
  for (const { instance, agentName, agentId } of plan.placements)
    out.line(`  ${instance} -> ${agentName || agentId || style.paint("red", "no agent")}`);
  for (const line of rejectionLines(plan.rejections)) out.line(line);
  for (const line of obstacleSums(plan.obstacles)) out.line(line);
  for (const line of preemptions.flatMap(preemptionLines)) out.line(line);
  if (plan.action !== PlanAction.PLAN_ACTION_NONE) out.next(`muster job run --check-version ${plan.version} ${file}`);
}
