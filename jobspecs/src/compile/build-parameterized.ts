import { dispatchProblem, type Parameterized, payloadFileProblem } from "../job/parameterized.ts";
import type { Job, JobType, Task, TaskGroup } from "../job/types.ts";
import type { DecodedBlock } from "./decoded.ts";

export function buildParameterized(job: DecodedBlock, type: JobType): Pick<Job, "parameterized"> {
  const block = job.first("parameterized");
  if (!block) return {};
  if (type !== "batch" && type !== "sysbatch")
    block.error(undefined, {
      code: "job/parameterized-type",
      summary: `a ${type} job can't be parameterized`,
      hint: 'set type = "batch" in the job: what is dispatched comes to an end',
    });
  if (job.first("periodic"))
    block.error(undefined, {
      code: "job/parameterized-periodic",
      summary: "a job is parameterized or periodic, not both",
      hint: "a schedule has nothing to dispatch the job with",
    });
  return {
    parameterized: {
      payload: (block.text("payload") ?? "optional") as Parameterized["payload"],
      metaRequired: names(block, "meta_required"),
      metaOptional: names(block, "meta_optional"),
    },
  };
}

/** Names that may stand in a dispatch: none twice. */
function names(block: DecodedBlock, attribute: string): string[] {
  const written = block.texts(attribute) ?? [];
  const unique = [...new Set(written)];
  if (unique.length < written.length || written.includes(""))
    block.error(attribute, { code: "job/parameterized-meta", summary: `${attribute} holds names, each once` });
  return unique;
}

export function buildDispatchPayload(task: DecodedBlock): Pick<Task, "dispatchPayload"> {
  const block = task.first("dispatch_payload");
  const file = block?.text("file");
  if (!block || file === undefined) return {};
  const problem = payloadFileProblem(file);
  if (problem !== undefined) block.error("file", { code: "job/dispatch-payload", summary: `file ${problem}` });
  return { dispatchPayload: { file } };
}

/** Reports what of a job and its tasks does not fit together for a dispatch. */
export function refuseUnfitDispatch(
  job: DecodedBlock,
  made: Pick<Job, "parameterized"> & { readonly groups: readonly TaskGroup[] },
): void {
  const problem = dispatchProblem(made);
  if (problem === undefined) return;
  const tasks = [...job.all("group").flatMap((group) => group.all("task")), ...job.all("task")];
  const place = tasks.find(({ label }) => label === problem.task)?.first("dispatch_payload");
  (place ?? job.first("parameterized"))?.error(undefined, { code: "job/dispatch-payload", summary: problem.reason });
}
