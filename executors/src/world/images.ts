/** The image that a task is to run from. */
export interface ImageWish {
  /** The task's id: never used twice on this agent. */
  readonly id: string;
  /** As a job names it: "alpine:3.19", "registry.example:5000/a/b@sha256:…", "oci:/folder:tag" and so on. */
  readonly image: string;
  /** Whether an Engine is to have it, which then runs the task. */
  readonly byEngine: boolean;
  /** The registry is asked even if the image is here already. */
  readonly forcePull: boolean;
  /** A pull that has not ended by then has failed. */
  readonly timeoutMs: number;
  /** Whom the registry is told to be asked by; undefined: as the agent is set. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

/** What an image says of how it is to be run. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Name or number, with ":GROUP" or without; empty: root. */
  readonly user: string;
  /** Empty: "/". */
  readonly workFolder: string;
}

/** An image that is on this host, unpacked. */
export interface ImageReady {
  /** Of its manifest, "sha256:…"; by an Engine, the Engine's id of it. */
  readonly digest: string;
  /** Absolute folders of its layers, the uppermost first; files are in "fs" below each. By an Engine none: it has them. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

/** What becomes of images. Events come later, never during a call. */
export interface ImageEvents {
  /** What takes long, for people: "pulling image …". Not for what is here already. */
  progress(id: string, message: string): void;
  /** It is there, and stays until it is released. */
  ready(id: string, ready: ImageReady): void;
  /** It can't be had, and why; nothing of it is left. */
  failed(id: string, message: string): void;
}

/** The images on one host, shared by all its tasks. They outlive the agent. */
export interface Images {
  /** Called once, before anything else. */
  start(events: ImageEvents): void;
  /**
   * Whose images an earlier life of the agent has prepared and must stay: those of tasks that may run. Called once; `ready`
   * follows for each that is there.
   */
  keep(ids: readonly string[]): void;
  /** Fetches and unpacks what is not here. `ready` or `failed` follows, unless it is released before. */
  prepare(wish: ImageWish): void;
  /** The task has ended, or is not to start any more: a pull for nobody else ends. Doing it again is harmless. */
  release(id: string): void;
  /** Ends pulls, then calls back. Images stay. */
  stop(done: () => void): void;
}
