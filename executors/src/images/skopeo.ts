import { mkdirSync, writeFileSync } from "node:fs";
import { runBounded } from "../programs/run-bounded.ts";
import { manifestBytesMax } from "./manifest.ts";
import { PullFailure, pullFailure } from "./pull-failure.ts";
import type { ImageReference } from "./reference.ts";

/** How registries are asked. */
export interface RegistrySettings {
  /** File of names and passwords as `docker login` and `skopeo login` write it; empty: none. */
  readonly authFile: string;
  /** Hosts with their ports that may be asked without encryption, or without proof of who they are. */
  readonly insecureRegistries: readonly string[];
}

export const registryDefaults: RegistrySettings = { authFile: "", insecureRegistries: [] };

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What of the agent's environment a fetch needs; nothing else is handed on. */
const handedOn = [
  "PATH",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/** Fetches from registries and layouts by the program of that name. Each has a folder of its own for one pull. */
export class Skopeo {
  readonly #folder: string;
  readonly #settings: RegistrySettings;
  readonly #authFile: string;
  readonly #signal: AbortSignal;
  readonly #secondsMax: number;

  constructor(
    folder: string,
    settings: RegistrySettings,
    reference: ImageReference,
    credentials: Credentials | undefined,
    limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ) {
    this.#folder = folder;
    this.#settings = settings;
    this.#signal = limits.signal;
    this.#secondsMax = Math.ceil(limits.timeoutMs / 1_000) + 1;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#authFile = credentials || settings.authFile === "" ? `${folder}/auth.json` : settings.authFile;
    if (this.#authFile !== settings.authFile)
      writeFileSync(this.#authFile, authText(reference.registry, credentials), { mode: 0o600 });
  }

  /** The manifest, or the list of manifests, byte for byte. */
  async inspect(reference: ImageReference): Promise<Buffer> {
    return this.#run(reference, ["inspect", "--raw", "--authfile", this.#authFile, ...this.#verify(reference, "")]);
  }

  /** Copies one image into a layout whose blobs lie in a folder that all images share; what is there stays. */
  async copy(reference: ImageReference, source: string, blobs: string, layout: string): Promise<void> {
    await this.#run(
      { ...reference, source },
      [
        "copy",
        "--quiet",
        "--dest-oci-accept-uncompressed-layers",
        "--authfile",
        this.#authFile,
        ...this.#verify(reference, "src-"),
        "--dest-shared-blob-dir",
        blobs,
      ],
      [`oci:${layout}:image`],
    );
  }

  #verify({ registry }: ImageReference, prefix: string): string[] {
    const isInsecure = registry !== "" && this.#settings.insecureRegistries.includes(registry);
    return isInsecure ? [`--${prefix}tls-verify=false`] : [];
  }

  async #run(reference: ImageReference, words: readonly string[], target: readonly string[] = []): Promise<Buffer> {
    const environment: Record<string, string> = { HOME: this.#folder, TMPDIR: this.#folder };
    for (const name of handedOn) {
      const value = process.env[name];
      if (value !== undefined) environment[name] = value;
    }
    // Should the agent be killed, the deadline is kept by the program itself.
    const general = ["--insecure-policy", "--command-timeout", `${this.#secondsMax}s`, "--tmpdir", this.#folder];
    const { code, output, errors } = await runBounded({
      program: "skopeo",
      words: [...general, ...words, reference.source, ...target],
      environment,
      signal: this.#signal,
      outputBytesMax: manifestBytesMax,
    }).catch((error: Error) => {
      throw this.#signal.aborted ? error : new Error(`skopeo: ${error.message}`);
    });
    if (code !== 0) throw pullFailure(reference, errors);
    if (output.length === 0 && target.length === 0) throw new PullFailure("its manifest is empty");
    return output;
  }
}

/** Names and passwords stand in a file that only root reads, never among a process's arguments. */
function authText(registry: string, credentials: Credentials | undefined): string {
  if (!credentials) return "{}";
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  return JSON.stringify({ auths: { [registry]: { auth } } });
}
