import type { ArtifactWish } from "@muster/foundation";
import type { ArtifactLimits } from "../limits.ts";

/** One thing to fetch. What comes of it lies in the folder of its number: "download", and "result". */
export interface FetchItem {
  readonly wish: ArtifactWish;
  readonly headers: Readonly<Record<string, string>>;
  readonly insecure: boolean;
  /** As people may see it. */
  readonly shown: string;
  /** "download" is there already; its sum is made sure of all the same. */
  readonly isHere: boolean;
}

/** What the fetching program is to do, in its working folder. */
export interface FetchOrder {
  readonly items: readonly FetchItem[];
  readonly limits: ArtifactLimits;
  readonly folders: readonly string[];
  readonly allowedNetworks: readonly string[];
  /** Account under which it does it; undefined: its own. */
  readonly account: number | undefined;
}

/** What became of one item. */
export interface FetchedItem {
  /** Name of the file that "result" is; undefined: it is a folder. */
  readonly fileName: string | undefined;
  readonly downloadedBytes: number;
}

export type FetchNews =
  | { readonly type: "progress"; readonly message: string }
  | { readonly type: "done"; readonly items: readonly FetchedItem[] }
  | { readonly type: "failed"; readonly message: string };
