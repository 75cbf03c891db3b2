import { mkdirSync, rmSync } from "node:fs";
import { runTool } from "../networks/kernel/run-tool.ts";

export type FoundImages =
  | { readonly works: true; readonly version: string }
  | { readonly works: false; readonly reason: string };

/** Finds out whether images can be had and layers laid one above the other on the agent's disk, by doing it. */
export async function findImages(dataFolder: string): Promise<FoundImages> {
  const fetcher = await runTool("skopeo", ["--version"]).then(
    (text) => ({ works: true, version: /\d+(\.\d+)+/.exec(text)?.[0] ?? "unknown" }) as const,
    ({ message }: Error) => ({ works: false, reason: message }) as const,
  );
  if (!fetcher.works)
    return {
      works: false,
      reason: fetcher.reason.includes("ENOENT") ? "skopeo was not found: apt-get install skopeo" : fetcher.reason,
    };
  const fault = await whyNoOverlay(`${dataFolder}/trial-overlay`);
  return fault === undefined ? fetcher : { works: false, reason: fault };
}

/** Mounts in a namespace of its own, which goes with the program that does it. */
async function whyNoOverlay(folder: string): Promise<string | undefined> {
  const options = `lowerdir=${folder}/a:${folder}/b,upperdir=${folder}/upper,workdir=${folder}/work`;
  try {
    for (const name of ["a", "b", "upper", "work", "root"]) mkdirSync(`${folder}/${name}`, { recursive: true });
    await runTool("unshare", ["--mount", "mount", "-t", "overlay", "overlay", "-o", options, `${folder}/root`]);
    return undefined;
  } catch (error) {
    return `the disk of ${folder.replace(/\/[^/]*$/, "")} can't hold layers of overlayfs: ${(error as Error).message}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
