import { type Engine, messageOf } from "./engine.ts";

/** Which agent a container belongs to, and which of its tasks. */
export const ownerLabel = "muster.agent";
export const taskLabel = "muster.task";

export interface OwnContainer {
  readonly id: string;
  /** Id of the attempt, as `ProcSpec.id`. */
  readonly task: string;
  /** Id of its image; empty: it only holds a network. */
  readonly image: string;
}

/** The containers of one agent in an Engine that others use as well. */
export class EngineContainers {
  readonly #engine: Engine;
  readonly #owner: string;

  constructor(engine: Engine, owner: string) {
    this.#engine = engine;
    this.#owner = owner;
  }

  /** All of this agent, or those of one attempt. */
  async list(task?: string): Promise<readonly OwnContainer[]> {
    const label = [`${ownerLabel}=${this.#owner}`, ...(task === undefined ? [] : [`${taskLabel}=${task}`])];
    const query = encodeURIComponent(JSON.stringify({ label }));
    const answer = await this.#engine.ask({ method: "GET", path: `/containers/json?all=1&filters=${query}` });
    if (answer.status !== 200) throw new Error(`the Engine does not list its containers: ${messageOf(answer)}`);
    const rows = JSON.parse(answer.body.toString("utf8")) as readonly {
      readonly Id: string;
      readonly ImageID: string;
      readonly Names: readonly string[];
      readonly Labels: Readonly<Record<string, string>>;
    }[];
    return rows.map(({ Id, ImageID, Names, Labels }) => ({
      id: Id,
      task: Labels[taskLabel] ?? "",
      image: Names.some((name) => name.endsWith("-net")) ? "" : ImageID,
    }));
  }

  /** Ends and removes one, with the volumes that only it has. Doing it twice is harmless. */
  async remove(id: string): Promise<void> {
    const answer = await this.#engine.ask({ method: "DELETE", path: `/containers/${id}?force=1&v=1` });
    // 404: it is gone. 409: somebody else is at it.
    if (![200, 204, 404, 409].includes(answer.status))
      throw new Error(`the Engine does not remove a container: ${messageOf(answer)}`);
  }
}
