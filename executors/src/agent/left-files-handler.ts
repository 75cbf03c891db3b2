import { timingSafeEqual } from "node:crypto";
import { invalid, MusterError, type StreamHandler } from "@muster/foundation";
import type { TakeRequest } from "@muster/proto";
import type { FilesReading, GroupFiles } from "../world/group-files.ts";
import { foldersOf } from "./core/heritage-wish.ts";
import { type Group, pairKey } from "./core/model.ts";
import type { AgentLoop } from "./loop.ts";

/** Launches whose files are given at one time; others ask again. */
export const givingsMax = 16;

/** Gives other agents what ended launches have left. One message of pieces waits for each caller, never more. */
export function leftFilesHandler(
  loop: () => AgentLoop | undefined,
  files: GroupFiles | undefined,
): StreamHandler<"LeftFiles.Take"> {
  let count = 0;
  return (outlet) => {
    let reading: FilesReading | undefined;
    let isBusy = false;
    let isOver = false;
    const leave = (): void => {
      isOver = true;
      if (reading) count--;
      reading?.close();
      reading = undefined;
    };
    const end = (error?: MusterError): void => {
      if (!isOver) outlet.end(error);
      leave();
    };
    const begin = (request: TakeRequest): void => {
      const state = loop()?.state;
      if (!state || !files) {
        end(files ? unavailable() : new MusterError("unsupported", "this agent gives no files"));
        return;
      }
      const group = groupOf(state, request);
      if (group instanceof MusterError) end(group);
      else if (count >= givingsMax)
        end(new MusterError("too-many", `${givingsMax} are being given files, the maximum`, { retryAfterMs: 1_000 }));
      else {
        count++;
        reading = files.read(foldersOf(state.config.dataFolder, group));
      }
    };
    return {
      receive: (request) => {
        if (isOver) return;
        if (isBusy) end(invalid("", "the next pieces were asked for before the last had come"));
        else if (!reading) begin(request);
        if (!reading) return;
        isBusy = true;
        reading.next((pieces, error) => {
          isBusy = false;
          if (isOver) return;
          if (error || pieces.length === 0) end(error);
          else outlet.send({ pieces: [...pieces] });
        });
      },
      drained: () => {},
      closed: leave,
    };
  };
}

function unavailable(): MusterError {
  return new MusterError("unavailable", "the agent is beginning", { retryAfterMs: 1_000 });
}

function groupOf(state: AgentLoop["state"], { frameworkId, launchId, token }: TakeRequest): Group | MusterError {
  for (const [field, text] of Object.entries({ framework_id: frameworkId, launch_id: launchId, token }))
    if (text === "") return invalid(field, "must not be empty");
  const key = state.launches.get(pairKey(frameworkId, launchId));
  const group = key === undefined ? undefined : state.groups.get(key);
  if (!group) return new MusterError("not-found", `nothing of launch ${launchId} is left on this agent`);
  if (!isSame(group.filesToken, token))
    return new MusterError("forbidden", `token: is not that of launch ${launchId}`, { field: "token" });
  if (group.tasks.some(({ phase }) => phase !== "ended"))
    return new MusterError("wrong-state", `launch ${launchId} has not ended`);
  return group;
}

/** How long it takes says nothing of where they differ. A group without a token has the same as nobody. */
function isSame(wanted: string, given: string): boolean {
  const [a, b] = [Buffer.from(wanted), Buffer.from(given)];
  return a.length > 0 && a.length === b.length && timingSafeEqual(a, b);
}
