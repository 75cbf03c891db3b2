/** How a command ends, for scripts. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** Accepted, but not all of it is placed or healthy. */
  incomplete: 2,
  notAllowed: 4,
  usage: 64,
  unreachable: 69,
  timeout: 124,
  interrupted: 130,
} as const;

/** What help says of each code; `plan` and `exec` have sentences of their own. */
export const exitMeanings: Readonly<Record<number, string>> = {
  [exitCode.done]: "done",
  [exitCode.failed]: "failed",
  [exitCode.incomplete]: "accepted, but not all of it is placed or healthy",
  [exitCode.notAllowed]: "not allowed",
  [exitCode.usage]: "wrong usage",
  [exitCode.unreachable]: "the cluster is unreachable",
  [exitCode.timeout]: "it took longer than --timeout",
  [exitCode.interrupted]: "interrupted",
};
