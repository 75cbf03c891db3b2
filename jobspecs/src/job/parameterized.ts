import { type Reader, refuseTwice, typed } from "./reader.ts";
import type { Job, Task } from "./types.ts";

export const payloadRules = ["optional", "required", "forbidden"] as const;

/** What a dispatch of a job brings. */
export interface Parameterized {
  /** Whether a dispatch has bytes of its own for the tasks. */
  readonly payload: (typeof payloadRules)[number];
  /** Names in `meta` that a dispatch must give. */
  readonly metaRequired: readonly string[];
  /** Names that it may give; others are refused. */
  readonly metaOptional: readonly string[];
}

/** Where a task finds what its dispatch brought. */
export interface DispatchPayload {
  /** Below the task's local folder. */
  readonly file: string;
}

/** Characters of the path of a payload's file. */
const fileLengthMax = 255;

/** What is wrong with the path of a payload's file; undefined: nothing. */
export function payloadFileProblem(file: string): string | undefined {
  if (file === "") return "must not be empty";
  if (file.length > fileLengthMax) return `must have at most ${fileLengthMax} characters`;
  const parts = file.split("/");
  if (file.includes("\0") || parts.some((part) => part === "" || part === "." || part === ".."))
    return "must be a path below the task's local folder, without empty parts, . and ..";
  return undefined;
}

/** Why a job's parts do not fit together where it is dispatched, with the task if it is one's; undefined: they do. */
export function dispatchProblem(
  job: Pick<Job, "parameterized" | "groups">,
): { readonly reason: string; readonly task: string | undefined } | undefined {
  const { parameterized, groups } = job;
  const twice = parameterized?.metaRequired.find((name) => parameterized.metaOptional.includes(name));
  if (twice !== undefined) return { reason: `"${twice}" is in meta_required and in meta_optional`, task: undefined };
  const reader = groups.flatMap(({ tasks }) => tasks).find(({ dispatchPayload }) => dispatchPayload !== undefined);
  if (reader === undefined || (parameterized && parameterized.payload !== "forbidden")) return undefined;
  const reason = parameterized
    ? "has a dispatch_payload, but the job's dispatches must bring none: payload = forbidden"
    : "has a dispatch_payload, but the job is not parameterized";
  return { reason: `task ${reader.name} ${reason}`, task: reader.name };
}

/**
 * The job that one dispatch runs: the same under a name of its own, with what the dispatch gives over all of its
 * metadata. It is not parameterized itself.
 */
export function dispatchedJob(parent: Job, id: string, meta: Readonly<Record<string, string>>): Job {
  const { parameterized: _, ...rest } = parent;
  const withMeta = <T extends { readonly meta: Readonly<Record<string, string>> }>(part: T): T => ({
    ...part,
    meta: { ...part.meta, ...meta },
  });
  const groups = parent.groups.map((group) => ({ ...withMeta(group), tasks: group.tasks.map(withMeta) }));
  return { ...withMeta(rest), id, groups };
}

/** What stands between the name of a parameterized job and what tells its dispatches apart. */
export const dispatchMark = "/dispatch-";

/** The parameterized job that a job is a dispatch of; undefined: it is none. */
export function dispatchParent(jobId: string): string | undefined {
  const at = jobId.indexOf(dispatchMark);
  return at < 0 ? undefined : jobId.slice(0, at);
}

export const decodeParameterized = typed((reader): Parameterized => {
  const names = (field: string): string[] => {
    const list = reader.texts(field);
    for (const name of list) if (name === "") reader.fail(field, "must not hold an empty name");
    refuseTwice(list, reader.at(field));
    return list;
  };
  return {
    payload: reader.oneOf("payload", payloadRules),
    metaRequired: names("metaRequired"),
    metaOptional: names("metaOptional"),
  };
});

export function decodeDispatchPayload(reader: Reader): Pick<Task, "dispatchPayload"> {
  if (!reader.has("dispatchPayload")) return {};
  return { dispatchPayload: readDispatchPayload(reader.raw("dispatchPayload"), reader.at("dispatchPayload")) };
}

const readDispatchPayload = typed((reader): DispatchPayload => {
  const file = reader.text("file");
  const problem = payloadFileProblem(file);
  return problem === undefined ? { file } : reader.fail("file", problem);
});
