/** An image as it is named by a job, understood. */
export interface ImageReference {
  /** As skopeo takes it: "docker://…", "oci:/…". */
  readonly source: string;
  /** Host and port of its registry; empty: it lies on this host. */
  readonly registry: string;
  /** The digest that it is named by; empty: a tag may mean another image tomorrow. */
  readonly digest: string;
  /** Absolute path of the folder or file where it lies; empty: it is in a registry. */
  readonly path: string;
  /** How people are told of it. */
  readonly text: string;
}

export type ReadReference =
  | { readonly ok: true; readonly reference: ImageReference }
  | { readonly ok: false; readonly problem: string };

/** Characters of an image's name. */
export const imageNameLengthMax = 4_096;
/** What names without a registry mean, as everywhere. */
const registryDefault = "docker.io";

const transports = ["oci:", "oci-archive:", "docker-archive:"];
const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const domain = "(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?";
const pattern = new RegExp(
  `^(?:(${domain})/)?(${component}(?:/${component})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);

/** Understands an image's name; a problem says what is wrong. Pure. */
export function readReference(text: string): ReadReference {
  if (text === "") return wrong("must not be empty");
  if (text.length > imageNameLengthMax) return wrong(`must have at most ${imageNameLengthMax} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: just those are refused.
  if (/[\x00-\x20\x7f]/.test(text)) return wrong("must hold no spaces and no control characters");
  const transport = transports.find((name) => text.startsWith(name));
  return transport === undefined ? inRegistry(text) : onHost(transport, text);
}

function onHost(transport: string, text: string): ReadReference {
  const [, path = ""] = /^(\/[^:]*)(?::[^:]+(?::[^:]+)?)?$/.exec(text.slice(transport.length)) ?? [];
  if (path === "") return wrong(`must be ${transport}/absolute/path:tag`);
  return { ok: true, reference: { source: text, registry: "", digest: "", path, text } };
}

function inRegistry(text: string): ReadReference {
  if (text.includes("://")) return wrong("must have no scheme: alpine:3.19, or registry.example/a/b:1");
  const [, host, rest = "", tag, digest = ""] = pattern.exec(text) ?? [];
  if (rest === "")
    return wrong(`"${text.slice(0, 200)}" is no name of an image: alpine:3.19, or registry.example/a/b:1`);
  const isRegistry = host !== undefined && (/[.:[]/.test(host) || host === "localhost");
  const registry = isRegistry ? host : registryDefault;
  const path = host === undefined || isRegistry ? rest : `${host}/${rest}`;
  const repository = registry === registryDefault && !path.includes("/") ? `library/${path}` : path;
  if (!/^[^A-Z]*$/.test(repository)) return wrong(`"${text.slice(0, 200)}": names of repositories are written small`);
  const end = digest === "" ? `:${tag ?? "latest"}` : `@${digest}`;
  const source = `docker://${registry}/${repository}${end}`;
  return { ok: true, reference: { source, registry, digest, path: "", text } };
}

/** The same image by the digest of one of its manifests. Pure. */
export function byDigest({ source }: ImageReference, digest: string): string {
  return `${source.replace(/(:[^:/@]+|@sha256:[0-9a-f]{64})$/, "")}@${digest}`;
}

function wrong(problem: string): ReadReference {
  return { ok: false, problem };
}
