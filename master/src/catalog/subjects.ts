import { invalid, type MusterError } from "@muster/foundation";
import { type CatalogFollowRequest, CatalogKind, type CatalogSubject } from "@muster/proto";
import { catalogNameBytesMax, catalogSubjectsMax } from "./limits.ts";

export function subjectKey({ kind, name }: CatalogSubject): string {
  return `${kind} ${name}`;
}

export function isOfServices({ kind }: CatalogSubject): boolean {
  return kind === CatalogKind.CATALOG_KIND_SERVICE || kind === CatalogKind.CATALOG_KIND_SERVICES;
}

/** Every subject of which a change of a key is a change: the key, and all folders that it is in. */
export function subjectsOfKey(path: string): CatalogSubject[] {
  const subjects: CatalogSubject[] = [{ kind: CatalogKind.CATALOG_KIND_KEY, name: path }];
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
    subjects.push({ kind: CatalogKind.CATALOG_KIND_KEYS, name: path.slice(0, at) });
  subjects.push({ kind: CatalogKind.CATALOG_KIND_KEYS, name: "" });
  return subjects;
}

/** By their keys, or what is wrong with them. */
export function readSubjects({ subjects }: CatalogFollowRequest): Map<string, CatalogSubject> | MusterError {
  if (subjects.length > catalogSubjectsMax) return invalid("subjects", `must be at most ${catalogSubjectsMax}`);
  const read = new Map<string, CatalogSubject>();
  for (const [index, { kind, name }] of subjects.entries()) {
    const fault = faultOf(kind, name);
    if (fault) return invalid(`subjects[${index}].${fault.field}`, fault.reason);
    const key = subjectKey({ kind, name });
    if (read.has(key)) return invalid(`subjects[${index}]`, "stands there twice");
    read.set(key, { kind, name });
  }
  return read;
}

function faultOf(kind: CatalogKind, name: string): { readonly field: string; readonly reason: string } | undefined {
  const isPlain = kind === CatalogKind.CATALOG_KIND_SERVICES;
  if (!isPlain && !(kind >= CatalogKind.CATALOG_KIND_SERVICE && kind <= CatalogKind.CATALOG_KIND_KEYS))
    return { field: "kind", reason: "must be a service, the list of services, a key or a folder of keys" };
  if (isPlain) return name === "" ? undefined : { field: "name", reason: "must be empty: the list has no name" };
  if (Buffer.byteLength(name) > catalogNameBytesMax)
    return { field: "name", reason: `must have at most ${catalogNameBytesMax} bytes` };
  if (name === "" && kind !== CatalogKind.CATALOG_KIND_KEYS) return { field: "name", reason: "must not be empty" };
  return undefined;
}
