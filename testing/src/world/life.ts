/** One run of one program: from its start until it crashes or stops. What was meant for a life ends with it. */
export interface Life {
  /** The program, for instance "master" or "agent-1". A new life of it has the same name. */
  readonly name: string;
  /** The machine that it runs on: links are between hosts. */
  readonly host: string;
  /** Counts the lives of that name, from 1. */
  readonly number: number;
  readonly alive: boolean;
  /** Counts its events. Between two of them nothing of it changes, unless somebody outside of the world's time calls it. */
  readonly stepCount: number;
}

/** How a life ends: "killed" lets its kernel reset its connections, "power" leaves peers to notice. */
export type Death = "killed" | "power";
