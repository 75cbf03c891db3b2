import type { ImageReference } from "./reference.ts";

/** Why an image can't be had. */
export class PullFailure extends Error {
  /** Another try may succeed. */
  readonly isTransient: boolean;

  constructor(message: string, isTransient = false) {
    super(message);
    this.isTransient = isTransient;
  }
}

interface Verdict {
  readonly pattern: RegExp;
  readonly isTransient: boolean;
  say(reference: ImageReference, cause: string): string;
}

const where = ({ registry, path }: ImageReference): string => (registry === "" ? path : `registry ${registry}`);

/** What the fetching program says, in the order in which it is looked through. */
const verdicts: readonly Verdict[] = [
  {
    pattern: /no space left on device/i,
    isTransient: false,
    say: (_, cause) => `the agent's disk is full: ${cause}`,
  },
  {
    pattern:
      /Digest did not match|does not match (the )?(provided|specified|expected|required)|mismatch(ed|ing)? .*digest|digest.* mismatch/i,
    isTransient: false,
    say: (reference, cause) => `${where(reference)} gave something else than the digest says: ${cause}`,
  },
  {
    pattern:
      /unauthorized|authentication required|invalid username|access .*denied|denied:|forbidden|status code 40[13]/i,
    isTransient: false,
    say: (reference, cause) =>
      `${where(reference)} does not let this agent have it (a name that does not exist may look the same): ${cause}`,
  },
  {
    pattern:
      /manifest unknown|name unknown|name invalid|not found|no descriptor found|does not exist|no such file|status code 404/i,
    isTransient: false,
    say: (reference) =>
      reference.registry === "" ? `it was not found in ${reference.path}` : "it was not found in the registry",
  },
  {
    pattern: /server gave HTTP response to HTTPS client/i,
    isTransient: false,
    say: ({ registry }) =>
      `registry ${registry} speaks http without encryption, and is not one of the agent's insecure registries`,
  },
  {
    pattern: /certificate|x509/i,
    isTransient: false,
    say: ({ registry }, cause) => `registry ${registry} can't prove who it is: ${cause}`,
  },
  {
    pattern:
      /no such host|connection refused|no route to host|network is unreachable|i\/o timeout|TLS handshake timeout/i,
    isTransient: true,
    say: ({ registry }, cause) => `registry ${registry} can't be reached: ${cause}`,
  },
  {
    pattern:
      /EOF|connection reset|broken pipe|too many requests|toomanyrequests|status:? (code )?(429|5\d\d)|\b50[0-4]\b/i,
    isTransient: true,
    say: (reference, cause) => `${where(reference)} broke off: ${cause}`,
  },
];

/** Understands why a fetch failed. Pure. */
export function pullFailure(reference: ImageReference, errors: string): PullFailure {
  const cause = causeIn(errors);
  const verdict = verdicts.find(({ pattern }) => pattern.test(cause));
  if (!verdict) return new PullFailure(`it could not be fetched: ${cause}`);
  return new PullFailure(verdict.say(reference, cause), verdict.isTransient);
}

/** The last message of a log of `key="value"` lines, without what only repeats the name. */
function causeIn(errors: string): string {
  const messages = [...errors.matchAll(/msg="((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) =>
    text.replace(/\\(.)/g, "$1"),
  );
  const last = messages.at(-1) ?? errors.trim().split("\n").at(-1) ?? "";
  return last
    .replace(/^Error (parsing image name|reading blob|determining manifest[^:]*) "[^"]*": /, "")
    .replace(/^FATA\[\d+\] /, "")
    .slice(0, 600);
}
