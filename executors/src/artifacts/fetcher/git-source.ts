import { execFile } from "node:child_process";
import { promises as fs } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import type { FetchedRepository } from "@muster/foundation";
import type { ArtifactLimits } from "../limits.ts";
import type { AddressRules } from "./addresses.ts";
import { FetchFailure } from "./fetch-failure.ts";
import { openHostPath } from "./file-source.ts";

export interface GitQuestion {
  readonly repository: FetchedRepository;
  readonly insecure: boolean;
  readonly rules: AddressRules;
  /** Below which repositories of the host may lie. */
  readonly folders: readonly string[];
  readonly limits: Pick<ArtifactLimits, "downloadBytesMax">;
}

/** Bytes that git may print. */
const outputBytesMax = 1024 * 1024;

/**
 * Checks one commit out into an empty folder, without history and without the repositories within it. Of what git does by
 * itself nothing is left: no configuration of the host, no hooks, no questions, no redirects, no other protocols.
 */
export async function checkOut(folder: string, homeFolder: string, question: GitQuestion): Promise<void> {
  // Git goes to other folders while it works.
  const home = resolve(homeFolder);
  const { ref, depth } = question.repository;
  const { place, settings, protocols } = await whereIs(question);
  const config = join(home, "gitconfig");
  const fixed = ["[safe]\n\tdirectory = *\n", "[core]\n\thooksPath = /dev/null\n"];
  await fs.writeFile(config, fixed.join(""));
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: config,
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    GIT_ALLOW_PROTOCOL: protocols,
  };
  const git = (...words: string[]): Promise<void> =>
    runGit([...settings.flatMap((setting) => ["-c", setting]), "-C", folder, ...words], environment, question);
  await git("init", "--quiet", ".");
  const fetch = (...words: string[]): Promise<void> =>
    git("fetch", "--quiet", "--no-recurse-submodules", "--no-tags", ...words);
  const isCommit = /^[0-9a-f]{7,64}$/i.test(ref);
  let found = "FETCH_HEAD";
  try {
    await fetch(`--depth=${depth || 1}`, place, ref || "HEAD");
  } catch (error) {
    // Not every server gives a commit that no branch ends in, and none a shortened one: then all branches are fetched.
    if (!isCommit) throw error;
    await fetch("--tags", place, "+refs/heads/*:refs/remotes/origin/*");
    found = ref;
  }
  await git("checkout", "--quiet", "--detach", found);
  await fs.rm(join(folder, ".git"), { recursive: true, force: true });
}

async function whereIs({ repository, insecure, rules, folders }: GitQuestion) {
  const where = repository.repository;
  if (where.startsWith("/")) {
    const handle = await openHostPath(where, folders);
    const place = await fs.readlink(`/proc/self/fd/${handle.fd}`);
    await handle.close();
    return { place: `file://${place}`, settings: [], protocols: "file" };
  }
  const url = new URL(where);
  const addresses = await rules.resolve(url.hostname);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const shown = addresses.map(({ address, family }) => (family === 6 ? `[${address}]` : address));
  const isName = isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0;
  return {
    place: url.href,
    settings: [
      "http.followRedirects=false",
      ...(isName ? [`http.curloptResolve=${url.hostname}:${port}:${shown.join(",")}`] : []),
      ...(insecure ? ["http.sslVerify=false"] : []),
    ],
    protocols: "http:https",
  };
}

function runGit(
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
  { limits: { downloadBytesMax }, repository }: GitQuestion,
): Promise<void> {
  const blocks = String(Math.ceil(downloadBytesMax / 512));
  const script = 'ulimit -f "$0"; exec git "$@"';
  return new Promise((done, reject) => {
    execFile(
      "sh",
      ["-c", script, blocks, ...words],
      { env: environment, maxBuffer: outputBytesMax },
      (error, _output, errors) => {
        if (!error) done();
        else reject(new FetchFailure(meaningOf(errors, error, downloadBytesMax, repository.ref)));
      },
    );
  });
}

function meaningOf(errors: string, error: Error & { code?: unknown }, bytesMax: number, ref: string): string {
  if (error.code === 127) return "it takes git, which this agent lacks: apt-get install git";
  if (/signal 25|File size limit/i.test(errors)) return `it has more than ${bytesMax} bytes (download_bytes_max)`;
  if (/No space left on device/.test(errors)) return "the agent's disk is full";
  if (
    /couldn't find remote ref|did not match any file|unadvertised object|not our ref|unable to read tree/i.test(errors)
  )
    return `the repository has no branch, tag or commit "${ref}"`;
  if (/could not read Username|Authentication failed|terminal prompts disabled/i.test(errors))
    return "the repository asks who we are (one that does not exist may do so, too): write a token into its URL";
  if (/unable to update url base from redirection|redirect/i.test(errors))
    return "the repository has moved: write its present URL";
  if (/Invalid path .*Permission denied/.test(errors))
    return "git can't go to its folder: let everybody pass through the folders above the agent's own (chmod o+x)";
  const lines = errors.trim().split("\n");
  const cause = lines.find((line) => /^(fatal|error):/.test(line)) ?? lines.at(-1);
  return `git: ${(cause || error.message).replace(/(:\/\/)[^/@\s]*@/g, "$1").slice(0, 400)}`;
}
