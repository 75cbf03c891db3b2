/** What images are made for: "linux/amd64", "linux/arm/v7". */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Empty: any. */
  readonly variant: string;
}

export interface Blob {
  /** "sha256:" and 64 digits. */
  readonly digest: string;
  readonly size: number;
}

export type Manifest =
  | { readonly type: "image"; readonly config: Blob; readonly layers: readonly Blob[] }
  | { readonly type: "index"; readonly manifests: readonly { readonly digest: string; readonly platform: Platform }[] };

/** Layers of an image. The kernel takes more; nobody makes more. */
export const layersMax = 128;
/** Bytes of a manifest, of a list of manifests, and of an image's configuration. */
export const manifestBytesMax = 4 * 1024 * 1024;
/** Images in one list. */
const manifestsMax = 1_024;

const indexTypes = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);

/** Reads what a registry has given; throws with what is wrong. Pure. */
export function parseManifest(text: string): Manifest {
  const fields = parseObject(text, "manifest");
  const { mediaType, schemaVersion, manifests, config, layers } = fields;
  if (schemaVersion !== 2)
    throw new Error(
      `its manifest has schema version ${JSON.stringify(schemaVersion)}, which nobody makes any more; 2 is read`,
    );
  if (Array.isArray(manifests) && (mediaType === undefined || indexTypes.has(String(mediaType)))) {
    if (manifests.length > manifestsMax) throw new Error(`its index lists more than ${manifestsMax} manifests`);
    return { type: "index", manifests: manifests.map(readEntry).filter((entry) => entry.platform.os !== "unknown") };
  }
  if (!Array.isArray(layers)) throw new Error("its manifest lists no layers");
  if (layers.length > layersMax) throw new Error(`it has ${layers.length} layers, more than ${layersMax}`);
  return { type: "image", config: readBlob(config, "config"), layers: layers.map((one) => readBlob(one, "layers")) };
}

function readEntry(raw: unknown): { digest: string; platform: Platform } {
  const { digest } = readBlob(raw, "manifests");
  const { platform } = raw as { platform?: unknown };
  return { digest, platform: readPlatform(platform) };
}

/** From an entry of a list, or from an image's configuration. */
export function readPlatform(raw: unknown): Platform {
  const { os, architecture, variant } = (typeof raw === "object" && raw !== null ? raw : {}) as Record<string, unknown>;
  return { os: word(os), architecture: word(architecture), variant: word(variant) };
}

function readBlob(raw: unknown, field: string): Blob {
  const { digest, size } = (typeof raw === "object" && raw !== null ? raw : {}) as Record<string, unknown>;
  if (typeof digest !== "string" || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Error(`its manifest has no sha256 digest in ${field}`);
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw new Error(`its manifest has no size in ${field}`);
  return { digest, size: size as number };
}

export function parseObject(text: string, name: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`its ${name} is no JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`its ${name} is no object`);
  return value as Record<string, unknown>;
}

function word(value: unknown): string {
  return typeof value === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(value) ? value : "";
}

/** This host's, by Node's name of the architecture. */
export function platformOf(arch: string): Platform {
  return { os: "linux", architecture: arch === "x64" ? "amd64" : arch, variant: "" };
}

export function platformText({ os, architecture, variant }: Platform): string {
  return `${os || "?"}/${architecture || "?"}${variant === "" ? "" : `/${variant}`}`;
}

export function runsOn(image: Platform, host: Platform): boolean {
  return image.os === host.os && image.architecture === host.architecture;
}

/** The manifest for this host; throws with what there is instead. Pure. */
export function choosePlatform({ manifests }: Extract<Manifest, { type: "index" }>, host: Platform): string {
  const found = manifests.find(({ platform }) => runsOn(platform, host));
  if (found) return found.digest;
  throw new Error(
    wrongPlatform(
      host,
      manifests.map(({ platform }) => platform),
    ),
  );
}

export function wrongPlatform(host: Platform, others: readonly Platform[]): string {
  const there = [...new Set(others.map(platformText))].sort();
  return `no image for ${platformText(host)}; there ${there.length === 1 ? "is" : "are"} ${there.join(", ") || "none"}`;
}
